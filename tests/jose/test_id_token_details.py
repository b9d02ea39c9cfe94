"""What the log is told of a refused ID token: which claim, never what it says."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from drf_apikit.jose.errors import TokenError
from drf_apikit.jose.id_token import (
    IdTokenRules,
    UserinfoRules,
    at_hash,
    check_at_hash,
    check_id_token,
    check_nonce,
    check_refreshed_id_token,
)
from tests.jose.minting import ISSUER, NOW

CLIENT: Final = "web"
RULES: Final = IdTokenRules(ISSUER, CLIENT, max_age=60)
CLAIMS: Final[Mapping[str, Any]] = {
    "iss": ISSUER,
    "sub": "alice",
    "aud": CLIENT,
    "azp": CLIENT,
    "iat": NOW - 10,
    "exp": NOW + 300,
    "auth_time": NOW - 20,
    "nonce": "n-1",
}


def told(check: Callable[[], object]) -> str:
    with pytest.raises(TokenError) as refused:
        check()
    return refused.value.detail


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"events": {}}, "events is of another kind of token"),
        ({"typ": "Refresh"}, "typ is of another kind of token"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"aud": "other"}, "for another client"),
        ({"azp": "other"}, "issued to another client"),
        ({"aud": [CLIENT, "b"], "azp": None}, "for several clients, issued to nobody"),
        ({"exp": NOW - 30}, "exp has passed"),
        ({"iat": NOW + 31}, "iat lies ahead"),
        ({"nbf": NOW + 31}, "nbf lies ahead"),
        ({"auth_time": NOW + 31}, "auth_time lies ahead"),
        ({"auth_time": NOW - 91}, "auth_time is longer ago than max_age"),
        ({"scope": "read", "nonce": None}, "scope is of an access token"),
    ],
)
def test_of_an_id_token(changed: dict[str, Any], detail: str) -> None:
    claims = {n: v for n, v in {**CLAIMS, **changed}.items() if v is not None}
    assert told(lambda: check_id_token(claims, RULES, NOW)) == detail


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"aud": "other"}, "for another client"),
        ({"exp": NOW - 30}, "exp has passed"),
        ({"iat": NOW + 31}, "iat lies ahead"),
        ({"nbf": NOW + 31}, "nbf lies ahead"),
    ],
)
def test_of_signed_userinfo(changed: dict[str, Any], detail: str) -> None:
    rules = UserinfoRules(ISSUER, CLIENT)
    assert told(lambda: rules.check({**CLAIMS, **changed}, NOW)) == detail


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"sub": "mallory"}, "sub is not that of the login"),
        ({"aud": "other"}, "aud is not that of the login"),
        ({"nonce": "n-2"}, "nonce is not that of the login"),
        ({"auth_time": NOW - 21}, "auth_time is before that of the login"),
        ({"iat": NOW - 41}, "iat is before the login"),
    ],
)
def test_of_a_refreshed_id_token(changed: dict[str, Any], detail: str) -> None:
    assert (
        told(lambda: check_refreshed_id_token({**CLAIMS, **changed}, CLAIMS)) == detail
    )


def test_of_a_binding() -> None:
    assert told(lambda: check_nonce({}, "n-1")) == "nonce"
    assert told(lambda: check_nonce(CLAIMS, "")) == "nonce is of another login"
    other = {"at_hash": at_hash("other", "RS256")}
    detail = "at_hash is of another access token"
    assert told(lambda: check_at_hash(other, "token", "RS256")) == detail


def test_a_person_may_have_shown_who_they_are_just_now() -> None:
    """The clock of the provider may be a little ahead."""
    check_id_token({**CLAIMS, "auth_time": NOW + 30}, RULES, NOW)


def test_an_access_token_that_is_no_text_has_a_hash_too() -> None:
    assert at_hash("\ud800", "RS256") != at_hash("?", "RS256")


def test_a_nonce_that_is_no_text_is_no_nonce() -> None:
    with pytest.raises(TokenError):
        check_nonce({"nonce": 7}, "XXXX")
