"""Keys that the settings give."""

import logging
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drf_apikit.jose.signing import load_signing_key
from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.tokens.keyring import KeyRingError
from drf_apikit.tokens.keyring.material import new_private_key
from tests.oidc.provider import Clock
from tests.tokens.keyring.rings import HOUR, NOW, kids, ring_of, states

PEM, OTHER = new_private_key("ES256"), new_private_key("EdDSA")


def at(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def test_a_key_of_the_settings_signs(settings: Any, clock: Clock) -> None:
    ring = ring_of(settings, clock, KEYS={"main": {"PRIVATE_KEY": PEM}})
    signer = ring.signing_key()
    assert (signer.kid, signer.algorithm) == ("main", "ES256")
    assert ring.published() == (signer.public_jwk(),)
    assert kids(ring) == ["main"]
    assert PEM[40:60] not in repr(vars(ring))


def test_dates_decide(settings: Any, clock: Clock) -> None:
    keys = {
        "new": {"PRIVATE_KEY": OTHER, "ACTIVE_FROM": at(NOW + HOUR)},
        "old": {"PRIVATE_KEY": PEM},
    }
    ring = ring_of(settings, clock, KEYS=keys)
    assert (ring.signing_key().kid, kids(ring)) == ("old", ["old", "new"])
    clock.now += HOUR
    assert (ring.signing_key().kid, kids(ring)) == ("new", ["old", "new"])
    clock.now += 300 + 60
    assert (ring.signing_key().kid, kids(ring)) == ("new", ["new"])
    assert states(ring) == ["dead", "active"]


def test_a_key_ends_when_it_is_told_to(settings: Any, clock: Clock) -> None:
    keys = {"a": {"PRIVATE_KEY": PEM, "DEAD_FROM": at(NOW + HOUR)}}
    ring = ring_of(settings, clock, KEYS=keys)
    assert ring.signing_key().kid == "a"
    clock.now += HOUR
    with pytest.raises(KeysUnavailableError, match="no key of KEYS in the section"):
        ring.signing_key()
    assert kids(ring) == []
    assert ring.published() == ()


def test_the_last_one_without_a_date_signs(settings: Any, clock: Clock) -> None:
    keys = {"a": {"PRIVATE_KEY": PEM}, "b": {"PRIVATE_KEY": OTHER}}
    ring = ring_of(settings, clock, KEYS=keys)
    assert (ring.signing_key().kid, states(ring)) == ("b", ["retired", "active"])


def test_another_key_in_a_file_needs_another_key_id(
    settings: Any, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "key.pem"
    path.write_text(PEM)
    ring = ring_of(settings, clock, KEYS={"main": {"FILE": str(path)}})
    assert ring.signing_key().algorithm == "ES256"
    keys = ring.keys()
    clock.now += 15
    assert ring.keys() is keys
    path.write_text(OTHER)
    assert ring.keys() is keys
    clock.now += 15
    # Its tokens live, and others know that key id: both keys cannot have it.
    assert (ring.signing_key().algorithm, ring.keys()) == ("ES256", keys)
    assert "'main' cannot be used: another key" in caplog.messages.pop()
    caplog.clear()
    # What cannot be read any more goes on as it was, and that is told once.
    for text in (None, "no key", b"\xff"):
        if text is None:
            path.unlink()
        else:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        for _ in range(2):
            clock.now += 15
            assert ring.signing_key().algorithm == "ES256"
    told = [
        record.message for record in caplog.records if record.levelno == logging.ERROR
    ]
    assert len(told) == 3
    assert all("'main' cannot be used" in one for one in told)


def test_a_variable_of_the_environment_will_do(
    settings: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_KEY", OTHER)
    ring = ring_of(settings, clock, KEYS={"main": {"ENV": "TOKEN_KEY"}})
    assert ring.signing_key().algorithm == "EdDSA"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        pytest.param({"FILE": "missing.pem"}, "FILE 'missing.pem' cannot", id="file"),
        pytest.param({"ENV": "NOT_THERE"}, "has no 'NOT_THERE'", id="env"),
        pytest.param(
            {"PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n"},
            "no private key in PEM",
            id="broken",
        ),
    ],
)
def test_a_key_that_cannot_be_read_is_named_and_the_others_go_on(
    settings: Any,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    entry: dict[str, str],
    reason: str,
) -> None:
    ring = ring_of(settings, clock, KEYS={"good": {"PRIVATE_KEY": PEM}, "bad": entry})
    for _ in range(2):
        with pytest.raises(KeysUnavailableError, match="'bad'") as raised:
            ring.signing_key()
    assert reason in str(raised.value)
    assert raised.value.issuer == "https://shop.test"
    assert kids(ring) == ["good"]
    (told,) = caplog.messages
    assert reason in told
    assert "c2VjcmV0" not in told + "".join(traceback.format_exception(raised.value))


def test_nothing_is_told_of_keys_none_of_which_can_be_read(
    settings: Any, clock: Clock, tmp_path: Path
) -> None:
    path = tmp_path / "key.pem"
    ring = ring_of(settings, clock, KEYS={"main": {"FILE": str(path)}})
    asks = (ring.keys, lambda: ring.refreshed("main"), ring.published, ring.signing_key)
    for ask in asks:
        with pytest.raises(KeysUnavailableError, match="'main' cannot be used") as no:
            ask()
        assert no.value.retry_after == 15
    # A file that is there at last is found soon.
    path.write_text(PEM)
    clock.now += 1
    assert kids(ring) == ["main"]
    assert ring.published() == (ring.signing_key().public_jwk(),)


@pytest.mark.parametrize(
    "dates",
    [
        pytest.param({}, id="retired"),
        pytest.param({"ACTIVE_FROM": at(NOW - 60)}, id="active"),
        pytest.param({"ACTIVE_FROM": at(NOW + HOUR)}, id="next"),
    ],
)
def test_an_incomplete_set_is_not_published_and_refuses_nobody_for_good(
    settings: Any, clock: Clock, dates: dict[str, str]
) -> None:
    entry = {"FILE": "missing.pem", **dates}
    keys = {"bad": entry, "good": {"PRIVATE_KEY": PEM}}
    ring = ring_of(settings, clock, KEYS=keys)
    assert kids(ring) == ["good"]
    assert ring.refreshed("good") is ring.keys()
    for kid in ("bad", "unknown", None):
        with pytest.raises(KeysUnavailableError, match="'bad'"):
            ring.refreshed(kid)
    with pytest.raises(KeysUnavailableError, match="'bad'"):
        ring.published()


def test_a_dead_key_need_not_be_readable(settings: Any, clock: Clock) -> None:
    entry = {"FILE": "missing.pem", "DEAD_FROM": at(NOW + HOUR)}
    keys = {"bad": entry, "good": {"PRIVATE_KEY": PEM}}
    ring = ring_of(settings, clock, KEYS=keys)
    with pytest.raises(KeysUnavailableError, match="'bad'"):
        ring.published()
    clock.now += HOUR
    assert [jwk["kid"] for jwk in ring.published()] == ["good"]
    assert ring.refreshed("bad") is ring.keys()


def test_they_are_changed_in_the_settings_alone(settings: Any, clock: Clock) -> None:
    ring = ring_of(settings, clock, KEYS={"main": {"PRIVATE_KEY": PEM}})
    with pytest.raises(KeyRingError, match="add one with ACTIVE_FROM"):
        ring.rotate()
    with pytest.raises(KeyRingError, match="give it DEAD_FROM"):
        ring.retire("main")
    assert load_signing_key(PEM, "main").public_jwk() == ring.published()[0]
