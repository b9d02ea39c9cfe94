from base64 import urlsafe_b64decode
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.test import RequestFactory
from django.views.debug import ExceptionReporter

from drf_apikit.sealing import needs_no_fallback, read_sealed, seal_text, unseal_text

OLD, NEW = "o" * 50, "n" * 50
TEXT = "a token: \N{SNOWMAN}"


@pytest.mark.parametrize("text", ["", TEXT, "x" * 20_000], ids=len)
@pytest.mark.parametrize("secret", [NEW, NEW.encode()], ids=repr)
def test_what_was_sealed_can_be_read(
    text: str, secret: str | bytes, settings: Any
) -> None:
    settings.SECRET_KEY = secret
    assert unseal_text(seal_text(text, "tokens"), "tokens") == text


def test_nothing_of_it_is_seen_and_never_the_same_twice() -> None:
    first, second = seal_text(TEXT, "tokens"), seal_text(TEXT, "tokens")
    assert first != second
    assert TEXT.encode() not in urlsafe_b64decode(first) + urlsafe_b64decode(second)


def test_only_the_same_purpose_reads_it() -> None:
    assert unseal_text(seal_text(TEXT, "tokens"), "sessions") is None


def test_the_secret_can_be_changed(settings: Any) -> None:
    settings.SECRET_KEY = OLD
    sealed = seal_text(TEXT, "tokens")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    assert unseal_text(sealed, "tokens") == TEXT
    newer = seal_text(TEXT, "tokens")
    settings.SECRET_KEY_FALLBACKS = []
    assert unseal_text(newer, "tokens") == TEXT
    assert unseal_text(sealed, "tokens") is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _: "", id="nothing"),
        pytest.param(lambda _: "rubbish", id="rubbish"),
        pytest.param(lambda _: "\N{SNOWMAN}", id="no ASCII"),
        pytest.param(lambda _: "\ud800", id="no text"),
        pytest.param(lambda sealed: sealed[:-2], id="cut"),
        pytest.param(lambda sealed: f"h{sealed[1:]}", id="another version"),
        pytest.param(lambda sealed: sealed[:60] + "AAAA" + sealed[64:], id="changed"),
    ],
)
def test_what_was_changed_is_not_read(change: Any) -> None:
    assert unseal_text(change(seal_text(TEXT, "tokens")), "tokens") is None


def test_an_error_report_shows_neither_the_text_nor_a_key(
    monkeypatch: pytest.MonkeyPatch, rf: RequestFactory
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(Fernet, "_encrypt_from_parts", fail)
    with pytest.raises(RuntimeError) as raised:
        seal_text("a token that nobody may see", "a test")
    reporter = ExceptionReporter(
        rf.get("/"), raised.type, raised.value, raised.value.__traceback__
    )
    shown = [
        frame
        for frame in reporter.get_traceback_frames()
        if frame["filename"].endswith("drf_apikit/sealing.py")
    ]
    values = [value for frame in shown for _, value in frame["vars"]]
    assert values
    assert all("nobody may see" not in repr(value) for value in values)


def test_what_was_not_sealed_is_a_value_error() -> None:
    assert read_sealed(seal_text(TEXT, "tokens"), "tokens") == TEXT
    with pytest.raises(ValueError, match="not sealed here"):
        read_sealed(seal_text(TEXT, "tokens"), "others")


def test_what_a_fallback_has_sealed_is_known(settings: Any) -> None:
    settings.SECRET_KEY = OLD
    sealed = seal_text(TEXT, "tokens")
    assert needs_no_fallback(sealed, "tokens")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    assert unseal_text(sealed, "tokens") == TEXT
    assert not needs_no_fallback(sealed, "tokens")
    assert not needs_no_fallback("\N{SNOWMAN}", "tokens")
