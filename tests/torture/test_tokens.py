"""A little of the run, and the proof that its judges see what is wrong."""

import base64
import json
import logging
from collections.abc import Iterator
from typing import Any, Final

import pytest

from drf_apikit.jose import KeySet, Reason, TokenError, claims, compact, keys, verifier
from tests.torture import tokens
from tests.torture.tokens import Fuzzer

BY_PYJWT: Final = "refused by PyJWT"
BY_JOSERFC: Final = "refused by joserfc"
BY_RULE: Final = "against a rule"

pytestmark = pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")


@pytest.fixture(autouse=True)
def _no_memory(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let no verifier remember what a broken one has read, nor the log."""
    caplog.set_level(logging.CRITICAL, tokens.__name__)
    memory = vars(compact)["_small_object"]
    memory.cache_clear()
    yield
    memory.cache_clear()


def test_nothing_is_accepted_that_others_refuse(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tokens.run(inputs=600, seed=1) == 0
    out = capsys.readouterr().out
    assert "tokens --seed 1: ok: 600 inputs, " in out
    assert " inputs/s with both judges; our part: median " in out


def test_an_input_can_be_made_again() -> None:
    one, other = Fuzzer(seed=3), Fuzzer(seed=3)
    for number in range(40):
        one.attempt(number)
    for number in reversed(range(40)):
        other.attempt(number)
    assert one.outcomes == other.outcomes
    assert len(one.outcomes) > 3


def nothing(*_: Any) -> None:
    return None


def yes(*_: Any) -> bool:
    return True


def refusing(*_: Any) -> None:
    raise TokenError(Reason.EXPIRED, "always")


def raising(*_: Any) -> None:
    raise KeyError("sub")


def lax_base64(segment: bytes) -> bytes:
    """Decode as most do: padding, other letters and loose bits are no matter."""
    return base64.urlsafe_b64decode(segment + b"===")


def any_header(header: Any, _policy: Any) -> tuple[str, str | None]:
    return header["alg"], header.get("kid")


def any_use(_jwk: Any, fitting: frozenset[str]) -> frozenset[str]:
    return fitting


def any_kid(self: KeySet, _kid: Any, algorithm: str) -> Any:
    fitting = [key for key in self.keys if algorithm in key.algorithms]
    return fitting[0] if fitting else refusing()


def by_kid_alone(self: KeySet, kid: Any, _algorithm: str) -> Any:
    named = [key for key in self.keys if key.kid == kid]
    return named[0] if named else refusing()


def any_json(segment: bytes) -> Any:
    return json.loads(lax_base64(segment).decode("latin-1"))


@pytest.mark.parametrize(
    ("place", "name", "broken", "seen"),
    [
        (claims, "_check_audience", nothing, {BY_PYJWT, BY_JOSERFC}),
        (claims, "_check_dates", nothing, {BY_PYJWT, BY_JOSERFC}),
        (claims, "_check_kind", nothing, {BY_RULE}),
        (claims, "_check_subject", nothing, {BY_PYJWT, BY_JOSERFC}),
        (claims, "_check_dates", refusing, {"good ones refused"}),
        (claims, "_client", raising, {"raised"}),
        (verifier, "_is_of_kind", yes, {BY_RULE}),
        (verifier, "_REFUSED_MEMBERS", (), {BY_RULE}),
        (verifier, "verify_signature", yes, {BY_PYJWT, BY_JOSERFC}),
        (verifier, "_check_header", any_header, {BY_RULE, "raised"}),
        (claims, "check_claims", nothing, {BY_PYJWT, BY_JOSERFC, BY_RULE}),
        (compact, "_base64url", lax_base64, {BY_RULE}),
        (compact, "_DECODER", json.JSONDecoder(), {BY_RULE}),
        (compact, "_json_object", any_json, {BY_RULE, "raised"}),
        (keys, "_narrow", any_use, {BY_JOSERFC}),
        (KeySet, "select", any_kid, {BY_PYJWT, BY_JOSERFC}),
        (KeySet, "select", by_kid_alone, {"raised"}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_judges_see_every_fault(
    monkeypatch: pytest.MonkeyPatch, place: Any, name: str, broken: Any, seen: set[str]
) -> None:
    monkeypatch.setattr(place, name, broken)
    fuzzer = Fuzzer(seed=1)
    for number in range(4000):
        fuzzer.attempt(number)
        if seen <= fuzzer.wrong.keys():
            return
    assert seen <= fuzzer.wrong.keys()
