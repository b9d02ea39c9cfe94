"""OpenID Connect Core 1.0 with the code flow: each check of an ID token, end to end."""

import time
from typing import Any

import pytest

from tests.login.attacking import Stage, nobody_is_let_in, user_of
from tests.login.attacks import ATTACKS
from tests.login.provider import AUTHORIZE, CLIENT_ID, TOKEN, USERINFO

pytestmark = pytest.mark.django_db


def refused(stage: Stage, name: str) -> None:
    nobody_is_let_in(stage, ATTACKS[name](stage))
    # With a token that is not good, nothing more is asked.
    assert stage.provider.count(USERINFO) == 0


@pytest.mark.compliance("OIDC Core 1.0", "3.1.2.1")
def test_a_request_has_what_it_must_have(stage: Stage) -> None:
    stage.login()
    asked = stage.provider.last(AUTHORIZE).query
    assert asked["response_type"] == "code"
    assert asked["client_id"] == CLIENT_ID
    assert "openid" in asked["scope"].split()
    assert asked["redirect_uri"] == "http://testserver/oidc/callback/"
    assert len(asked["state"]) >= 22
    assert len(asked["nonce"]) >= 22
    assert stage.provider.last(TOKEN).form["redirect_uri"] == asked["redirect_uri"]


@pytest.mark.compliance("OIDC Core 1.0", "3.1.3.3")
@pytest.mark.parametrize(
    "name",
    [
        "tokens of another type",
        "tokens of no type",
        "tokens of nothing",
        "an ID token that is not there",
    ],
)
def test_an_answer_without_what_it_must_have_is_refused(
    stage: Stage, name: str
) -> None:
    refused(stage, name)


@pytest.mark.compliance("OIDC Core 1.0", "3.1.3.7")
@pytest.mark.parametrize(
    "name",
    [
        "an ID token of another issuer",
        "an ID token of nearly this issuer",
        "an ID token without an issuer",
    ],
)
def test_number_2_the_issuer(stage: Stage, name: str) -> None:
    refused(stage, name)


@pytest.mark.compliance("OIDC Core 1.0", "3.1.3.7")
@pytest.mark.parametrize(
    "name",
    [
        "an ID token of another client",
        "an ID token of nobody knows which client",
        "an ID token without an audience",
    ],
)
def test_number_3_the_audience(stage: Stage, name: str) -> None:
    refused(stage, name)


@pytest.mark.compliance("OIDC Core 1.0", "3.1.3.7")
@pytest.mark.parametrize(
    "name",
    [
        "an ID token issued to another client",
        "an ID token of another client, for this one too",
    ],
)
def test_numbers_4_and_5_the_authorized_party(stage: Stage, name: str) -> None:
    refused(stage, name)


@pytest.mark.compliance("OIDC Core 1.0", "3.1.3.7")
@pytest.mark.parametrize(
    "name",
    [
        "an ID token that lost its signature",
        "an ID token signed under another's name",
        "an ID token signed with the key in it",
        "a key set of another key",
    ],
)
def test_number_6_the_signature(stage: Stage, name: str) -> None:
    refused(stage, name)


@pytest.mark.compliance("OIDC Core 1.0", "3.1.3.7")
@pytest.mark.parametrize(
    "name",
    [
        "an ID token unsigned",
        "an ID token signed with the secret",
        "an ID token signed with the public key",
    ],
)
def test_numbers_7_and_8_the_algorithm(stage: Stage, name: str) -> None:
    refused(stage, name)


@pytest.mark.compliance("OIDC Core 1.0", "3.1.3.7")
def test_number_7_another_algorithm_of_the_same_key(stage: Stage) -> None:
    """RS256 is what this client has registered."""
    stage.provider.algorithm = "PS256"
    nobody_is_let_in(stage, stage.login())


@pytest.mark.compliance("OIDC Core 1.0", "3.1.3.7")
@pytest.mark.parametrize(
    "name",
    [
        "an ID token expired",
        "an ID token without an end",
        "an ID token with an end in words",
    ],
)
def test_number_9_the_end(stage: Stage, name: str) -> None:
    refused(stage, name)


@pytest.mark.compliance("OIDC Core 1.0", "3.1.3.7")
@pytest.mark.parametrize(
    "name", ["an ID token of the future", "an ID token of no time"]
)
def test_number_10_the_beginning(stage: Stage, name: str) -> None:
    refused(stage, name)


@pytest.mark.compliance("OIDC Core 1.0", "3.1.3.7")
@pytest.mark.parametrize(
    "name",
    [
        "an ID token of another login",
        "an ID token of no login",
        "a request without a nonce",
        "a request with another nonce",
    ],
)
def test_number_11_the_nonce(stage: Stage, name: str) -> None:
    refused(stage, name)


@pytest.mark.compliance("OIDC Core 1.0", "3.1.3.7")
@pytest.mark.parametrize(
    ("seconds", "is_in"), [(10, True), (3600, False), (None, False)]
)
def test_number_13_how_long_ago_a_person_was_asked(
    stage: Stage, login_settings: Any, seconds: int | None, is_in: bool
) -> None:
    apikit = login_settings.DRF_APIKIT
    login = {**apikit["LOGIN"], "MAX_AGE": 60}
    login_settings.DRF_APIKIT = {**apikit, "LOGIN": login}
    shown = None if seconds is None else int(time.time()) - seconds
    stage.provider.claims["auth_time"] = shown
    response = stage.login()
    assert stage.provider.last(AUTHORIZE).query["max_age"] == "60"
    if is_in:
        assert user_of(stage.client)
    else:
        nobody_is_let_in(stage, response)


@pytest.mark.compliance("OIDC Core 1.0", "3.1.3.8")
def test_the_access_token_is_the_one_that_is_meant(stage: Stage) -> None:
    refused(stage, "an ID token of another access token")


@pytest.mark.compliance("OIDC Core 1.0", "3.1.2.6")
@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("interaction_required", 403),
        ("login_required", 403),
        ("account_selection_required", 403),
        ("consent_required", 403),
        ("invalid_request_uri", 400),
        ("invalid_request_object", 400),
        ("request_not_supported", 400),
        ("request_uri_not_supported", 400),
        ("registration_not_supported", 400),
    ],
)
def test_each_error_has_an_answer(stage: Stage, error: str, status: int) -> None:
    response = ATTACKS[f"an answer with error {error}"](stage)
    nobody_is_let_in(stage, response)
    assert response.status_code == status
    assert stage.provider.count(TOKEN) == 0


@pytest.mark.compliance("OIDC Core 1.0", "5.3.2")
@pytest.mark.parametrize(
    "name",
    [
        "a person who is another",
        "a person who is nearly the same",
        "a person who is nobody",
        "a person who is signed for another",
    ],
)
def test_what_is_told_of_another_is_not_used(stage: Stage, name: str) -> None:
    nobody_is_let_in(stage, ATTACKS[name](stage))
