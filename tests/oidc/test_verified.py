"""Tokens that a process has verified are good until something has changed."""

import os
import warnings
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.test import override_settings

from drf_apikit.jose import Reason, TokenError, verify
from drf_apikit.oidc import VerifiedToken, find_issuer, verified, verify_token
from tests.jose.minting import AUDIENCE, CLAIMS, HEADER, ISSUER, NOW, mint, public_jwk

EXP: Final = CLAIMS["exp"]
#: Seconds that clocks may differ.
LEEWAY: Final = 30


def trusting(size: int, *kinds: str, **members: Any) -> dict[str, Any]:
    keys = {"keys": [public_jwk(kind) for kind in kinds or ("P-256",)]}
    entry = {"AUDIENCE": AUDIENCE, "JWKS": keys, **members}
    section = {"ISSUERS": {ISSUER: entry}, "TOKEN_CACHE_SIZE": size}
    return {"AUTHENTICATION": section}


@pytest.fixture(autouse=True)
def trusted(settings: Any) -> Iterator[None]:
    settings.DRF_APIKIT = trusting(2)
    verified.forget()
    yield
    verified.forget()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Count how often a token is verified in earnest."""
    seen: list[Any] = []

    def counting(token: Any, keys: Any, policy: Any, now: float) -> Any:
        seen.append(token)
        return verify(token, keys, policy, now)

    monkeypatch.setattr("drf_apikit.oidc.issuers.verify", counting)
    return seen


def token(number: int = 0, **claims: Any) -> str:
    return mint(claims={**CLAIMS, "jti": f"id-{number}", **claims})


def refusal(text: str, now: float = NOW) -> TokenError:
    with pytest.raises(TokenError) as refused:
        verify_token(text, now)
    return refused.value


def test_a_token_is_verified_once(looks: list[Any]) -> None:
    text = token()
    first, second = verify_token(text, NOW), verify_token(text, NOW + 1)
    assert isinstance(first, VerifiedToken)
    assert first is second
    assert first.issuer is find_issuer(ISSUER)
    assert first.claims["sub"] == "alice"
    assert len(looks) == 1


def test_without_a_size_nothing_is_remembered(looks: list[Any], settings: Any) -> None:
    settings.DRF_APIKIT = trusting(0)
    text = token()
    assert verify_token(text, NOW).claims == verify_token(text, NOW).claims
    assert len(looks) == 2


def test_a_token_is_remembered_by_all_its_octets(looks: list[Any]) -> None:
    text = token()
    verify_token(text, NOW)
    # The last letter of a signature of 64 octets has bits that nothing is in.
    other = text[:-1] + ("A" if text[-1] != "A" else "Q")
    assert refusal(other).reason is Reason.SIGNATURE
    assert refusal(f"{text}=").reason is Reason.MALFORMED
    assert refusal("\udc80").reason is Reason.MALFORMED
    assert len(looks) == 2


def test_the_ones_used_last_are_remembered(looks: list[Any]) -> None:
    one, two, three = token(1), token(2), token(3)
    for text in (one, two, one, three, one, three):
        verify_token(text, NOW)
    assert len(looks) == 3
    verify_token(two, NOW)
    assert len(looks) == 4


def test_a_smaller_size_drops_the_rest(looks: list[Any], settings: Any) -> None:
    verify_token(token(1), NOW)
    one = token(1)
    settings.DRF_APIKIT = trusting(1)
    for text in (one, token(2), one):
        verify_token(text, NOW)
    assert len(looks) == 4


def test_it_does_not_outlive_exp() -> None:
    text = token()
    verify_token(text, NOW)
    assert verify_token(text, EXP + LEEWAY - 1).claims["exp"] == EXP
    assert refusal(text, EXP + LEEWAY).reason is Reason.EXPIRED


def test_a_clock_that_was_set_back_is_asked_anew() -> None:
    text = token(nbf=NOW)
    verify_token(text, NOW)
    assert refusal(text, NOW - LEEWAY - 1).reason is Reason.NOT_YET_VALID


def test_it_does_not_outlive_the_key(settings: Any) -> None:
    text = token()
    verify_token(text, NOW)
    settings.DRF_APIKIT = trusting(2, "RSA")
    assert refusal(text).reason is Reason.KEY_UNKNOWN


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"AUDIENCE": "another"}, Reason.AUDIENCE),
        ({"CLIENTS": ["another"]}, Reason.CLIENT),
        ({"ALGORITHMS": ["RS256"]}, Reason.ALGORITHM),
        ({"MAX_LIFETIME": 1}, Reason.LIFETIME),
        ({"TOKEN_PROFILE": "okta"}, Reason.CLAIM_MISSING),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_it_does_not_outlive_the_policy(
    members: dict[str, Any], reason: Reason
) -> None:
    text = token()
    verify_token(text, NOW)
    with override_settings(DRF_APIKIT=trusting(2, **members)):
        assert refusal(text).reason is reason


def test_it_does_not_outlive_the_trust_in_its_issuer() -> None:
    text = token()
    verify_token(text, NOW)
    section = {"ISSUERS": {}, "TOKEN_CACHE_SIZE": 2}
    with override_settings(DRF_APIKIT={"AUTHENTICATION": section}):
        error = refusal(text)
    assert (error.reason, error.issuer) == (Reason.ISSUER, None)


def test_a_refusal_is_not_remembered(looks: list[Any]) -> None:
    text = token(iat=NOW + 60, nbf=NOW + 60)
    error = refusal(text)
    assert (error.reason, error.issuer) == (Reason.NOT_YET_VALID, ISSUER)
    assert verify_token(text, NOW + 60).claims["iat"] == NOW + 60
    assert len(looks) == 2


def test_no_token_is_kept_in_memory() -> None:
    text = token()
    verify_token(text, NOW)
    assert text not in repr(vars(verified.CACHE))
    assert text.encode() not in next(iter(vars(verified.CACHE)["_entries"]))


def test_a_child_of_a_fork_begins_anew(looks: list[Any]) -> None:
    text = token()
    verify_token(text, NOW)
    issuer = find_issuer(ISSUER)
    before = len(looks)
    with verified.CACHE.lock, warnings.catch_warnings():
        # Of the threads of other tests: what it says of locks is the point here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if child == 0:
            same = verify_token(text, NOW).issuer is issuer
            os._exit(0 if same and len(looks) == before + 1 else 1)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_header_that_is_remembered_is_not_another_ones() -> None:
    """Headers are read once for all tokens that have the same."""
    verify_token(token(1), NOW)
    assert refusal(mint({**HEADER, "typ": "JWT"})).reason is Reason.TYPE
    verify_token(token(2), NOW)
