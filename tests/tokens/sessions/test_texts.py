import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from pytest_django import Settings

from drf_apikit.tokens.sessions.texts import (
    digest_of,
    new_text,
    read_text,
    seal,
    unseal,
)

ID = uuid.UUID(int=7)


def test_a_text_says_of_which_session_it_is() -> None:
    text = new_text(ID)
    read = read_text(text)
    assert text.startswith("akr1_")
    assert read is not None
    assert (read.session_id, read.digest, read.is_ours) == (ID, digest_of(text), True)
    assert "." not in text, "it might pass for a JWT"


def test_no_two_are_the_same() -> None:
    assert len({new_text(ID) for _ in range(100)}) == 100


@pytest.mark.parametrize("octet", range(64))
def test_a_tag_is_over_all_of_it(octet: int) -> None:
    raw = bytearray(urlsafe_b64decode(f"{new_text(ID)[5:]}=="))
    raw[octet] ^= 1
    read = read_text("akr1_" + urlsafe_b64encode(raw).decode().rstrip("="))
    assert read is not None
    assert not read.is_ours


def test_there_is_one_way_to_write_a_text() -> None:
    text = new_text(ID)
    last = text[-1]
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        read = read_text(text[:-1] + other)
        assert (read is None) == (other not in "AQgw")
        assert read is None or read.is_ours == (other == last)


@pytest.mark.parametrize(
    "text",
    ["", "akr1_", "A" * 86, "akr1_" + "A" * 85, "akr1_" + "A" * 87, "akr2_" + "A" * 86]
    + ["akr1_" + "A" * 85 + "!"]
    + ["akr1_" + filling * 86 for filling in ("=", "!", " ", "é", "\udc80", "\0", "+")],
    ids=ascii,
)
def test_what_is_no_refresh_token(text: str) -> None:
    assert read_text(text) is None


def test_a_secret_key_may_be_octets(settings: Settings) -> None:
    text = new_text(ID)
    settings.SECRET_KEY = settings.SECRET_KEY.encode()
    read = read_text(text)
    assert read is not None
    assert read.is_ours


def test_a_successor_is_for_the_heir() -> None:
    first, second = new_text(ID), new_text(ID)
    assert unseal(seal(second, first), first) == second
    assert unseal(seal(second, first), second) is None
    assert unseal("", first) is None
