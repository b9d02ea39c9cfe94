import os
from base64 import urlsafe_b64encode
from typing import Any

import pytest

from drf_apikit.idempotency.sealing import SealError, seal, unseal

SCOPE = "0f" * 32
OLD, NEW = (urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2))
SHORT, LONG = b"short", b"a long answer " * 100
PLAIN, COMPRESSED, ENCRYPTED = 0, 1, 2


def encrypt_with(settings: Any, *keys: str) -> None:
    section = {"ENCRYPTION_KEYS": list(keys)} if keys else {}
    settings.DRF_APIKIT = {"IDEMPOTENCY": section}


@pytest.mark.parametrize("keys", [(), (NEW,), (NEW, OLD)], ids=len)
@pytest.mark.parametrize("plain", [b"", SHORT, LONG, os.urandom(1000)], ids=len)
def test_what_was_sealed_can_be_read(
    plain: bytes, keys: tuple[str, ...], settings: Any
) -> None:
    encrypt_with(settings, *keys)
    codec, sealed = seal(plain, SCOPE)
    assert unseal(codec, sealed, SCOPE) == plain
    assert bool(codec & ENCRYPTED) is bool(keys)


@pytest.mark.parametrize(
    ("plain", "codec"),
    [
        pytest.param(b"a" * 255, PLAIN, id="too short to gain"),
        pytest.param(b"a" * 256, COMPRESSED, id="long enough"),
        pytest.param(bytes(range(256)), PLAIN, id="would grow"),
    ],
)
def test_it_is_compressed_where_that_helps(plain: bytes, codec: int) -> None:
    found, sealed = seal(plain, SCOPE)
    assert found == codec
    assert (sealed == plain) is (codec == PLAIN)
    assert len(sealed) <= len(plain)


def test_nothing_of_it_is_seen_and_never_the_same_twice(settings: Any) -> None:
    encrypt_with(settings, NEW)
    first, second = seal(SHORT, SCOPE), seal(SHORT, SCOPE)
    assert SHORT not in first[1] + second[1]
    # A nonce that came again would give the key away.
    assert first[1][:12] != second[1][:12]
    assert first[1][12:] != second[1][12:]


def test_keys_can_be_changed(settings: Any) -> None:
    encrypt_with(settings, OLD)
    codec, sealed = seal(LONG, SCOPE)
    encrypt_with(settings, NEW, OLD)
    assert unseal(codec, sealed, SCOPE) == LONG
    newer = seal(LONG, SCOPE)
    encrypt_with(settings, NEW)
    assert unseal(*newer, SCOPE) == LONG
    with pytest.raises(SealError):
        unseal(codec, sealed, SCOPE)
    encrypt_with(settings)
    with pytest.raises(SealError):
        unseal(codec, sealed, SCOPE)


def test_what_was_kept_before_there_were_keys_can_be_read(settings: Any) -> None:
    codec, sealed = seal(LONG, SCOPE)
    encrypt_with(settings, NEW)
    assert unseal(codec, sealed, SCOPE) == LONG


def test_it_is_bound_to_its_record(settings: Any) -> None:
    encrypt_with(settings, NEW)
    codec, sealed = seal(SHORT, SCOPE)
    with pytest.raises(SealError):
        unseal(codec, sealed, "1e" * 32)


@pytest.mark.parametrize("plain", [SHORT, LONG], ids=["short", "long"])
def test_a_change_of_any_bit_is_seen(plain: bytes, settings: Any) -> None:
    encrypt_with(settings, NEW)
    codec, sealed = seal(plain, SCOPE)
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1 << place % 8
        with pytest.raises(SealError):
            unseal(codec, bytes(changed), SCOPE)


@pytest.mark.parametrize("length", [0, 1, 11, 12, 13, 27, 28])
def test_what_was_cut_is_seen(length: int, settings: Any) -> None:
    encrypt_with(settings, NEW)
    codec, sealed = seal(SHORT, SCOPE)
    with pytest.raises(SealError):
        unseal(codec, sealed[:length], SCOPE)


@pytest.mark.parametrize("plain", [SHORT, LONG], ids=["short", "long"])
def test_another_codec_is_seen(plain: bytes, settings: Any) -> None:
    encrypt_with(settings, NEW)
    codec, sealed = seal(plain, SCOPE)
    with pytest.raises(SealError):
        unseal(codec ^ COMPRESSED, sealed, SCOPE)


def test_compression_that_is_damaged_is_seen() -> None:
    codec, sealed = seal(LONG, SCOPE)
    assert codec == COMPRESSED
    for place in range(2, len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(SealError):
            unseal(codec, bytes(changed), SCOPE)
    with pytest.raises(SealError):
        unseal(codec, sealed[:-1], SCOPE)
