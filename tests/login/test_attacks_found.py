"""The judgement of the attacks finds what is left open: so it can fail.

It is put on a login by mozilla-django-oidc as it comes, and on ours without one of its
checks.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
import pytest

from tests.login.attacking import Stage, nobody_is_let_in, user_of
from tests.login.attacks import ATTACKS
from tests.login.provider import (
    AUTHORIZE,
    CLIENT_SECRET,
    JWKS,
    TOKEN,
    USERINFO,
)

pytestmark = pytest.mark.django_db

#: What mozilla-django-oidc 5.0 with its defaults lets in.
LET_IN: Final = (
    "a key set for encryption",
    "a person who is a list",
    "a person who is another",
    "a person who is nearly the same",
    "a person who is nobody",
    "a request with the plain method",
    "a request without a challenge",
    "an ID token issued to another client",
    "an ID token of a name that is no text",
    "an ID token of a name with NUL",
    "an ID token of a person to come",
    "an ID token of an empty name",
    "an ID token of an endless name",
    "an ID token of another access token",
    "an ID token of another client",
    "an ID token of another client, for this one too",
    "an ID token of another issuer",
    "an ID token of nearly this issuer",
    "an ID token of no time",
    "an ID token of nobody",
    "an ID token of nobody knows which client",
    "an ID token of two people",
    "an ID token that is a logout token",
    "an ID token that is an access token",
    "an ID token that is an event",
    "an ID token that says it is for access",
    "an ID token with a demand",
    "an ID token without an audience",
    "an ID token without an end",
    "an ID token without an issuer",
    "an answer with an empty issuer",
    "an answer with another issuer",
    "an answer with no issuer",
    "an answer with two of code",
    "an answer with two of iss",
    "an answer with two of state",
    "another issuer where none is announced",
    "tokens of another type",
    "tokens of no type",
)
#: Some of what is a server error there.
FAULTS: Final = (
    "a /keys that has an error",
    "a /keys that has a page",
    "a /token that dies",
    "a /token that has an error",
    "a /userinfo that is busy",
    "an ID token expired",
    "an ID token that is not there",
    "tokens refused with invalid_grant",
)


def unchecked(*_arguments: object, **_options: object) -> None:
    """Find nothing wrong."""


def unverified(text: str, *_arguments: object, **_options: object) -> Any:
    return jwt.decode(text, options={"verify_signature": False})


def believed(*_arguments: object, **_options: object) -> Mapping[str, Any]:
    return {"email": "alice@example.com"}


#: A check of ours, what stands in its place, and an attack that then comes through.
MISSING: Final[tuple[tuple[str, Callable[..., object], str], ...]] = (
    ("login.views.check_issuer", unchecked, "an answer with another issuer"),
    ("login.views.check_issuer", unchecked, "an answer with no issuer"),
    ("oidc.id_tokens.check_nonce", unchecked, "a request with another nonce"),
    ("oidc.id_tokens.check_at_hash", unchecked, "an ID token of another access token"),
    ("jose.id_token.check_id_token", unchecked, "an ID token of another client"),
    ("jose.id_token.check_id_token", unchecked, "an ID token expired"),
    ("login.backend.verify_id_token", unverified, "an ID token unsigned"),
    ("login.backend.ask_userinfo", believed, "a person who is another"),
)


@pytest.fixture
def mozilla(stage: Stage, login_settings: Any) -> Stage:
    """Log in by mozilla-django-oidc as it comes, with what it makes mandatory."""
    url = stage.provider.url
    login_settings.ROOT_URLCONF = "tests.login.mozilla_urls"
    login_settings.OIDC_OP_AUTHORIZATION_ENDPOINT = url + AUTHORIZE
    login_settings.OIDC_OP_TOKEN_ENDPOINT = url + TOKEN
    login_settings.OIDC_OP_USER_ENDPOINT = url + USERINFO
    login_settings.OIDC_OP_JWKS_ENDPOINT = url + JWKS
    login_settings.AUTHENTICATION_BACKENDS = [
        "mozilla_django_oidc.auth.OIDCAuthenticationBackend"
    ]
    return stage


def test_a_good_login_there(mozilla: Stage) -> None:
    assert mozilla.login().status_code == 302
    assert user_of(mozilla.client)


@pytest.mark.parametrize("name", LET_IN)
def test_who_is_let_in_there_is_found(mozilla: Stage, name: str) -> None:
    response = ATTACKS[name](mozilla)
    assert user_of(mozilla.client)
    with pytest.raises(AssertionError):
        nobody_is_let_in(mozilla, response)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_there_is_found(mozilla: Stage, name: str) -> None:
    response = ATTACKS[name](mozilla)
    assert response.status_code == 500
    with pytest.raises(AssertionError):
        nobody_is_let_in(mozilla, response)


def test_a_secret_in_the_log_there_is_found(mozilla: Stage) -> None:
    response = ATTACKS["tokens refused with invalid_grant"](mozilla)
    assert CLIENT_SECRET in mozilla.log.text
    response.status_code = 400
    with pytest.raises(AssertionError):
        nobody_is_let_in(mozilla, response)


@pytest.mark.parametrize(("check", "instead", "name"), MISSING)
def test_a_check_that_is_missing_is_found(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    check: str,
    instead: Callable[..., object],
    name: str,
) -> None:
    monkeypatch.setattr(f"drf_apikit.{check}", instead)
    response = ATTACKS[name](stage)
    assert user_of(stage.client)
    with pytest.raises(AssertionError):
        nobody_is_let_in(stage, response)
