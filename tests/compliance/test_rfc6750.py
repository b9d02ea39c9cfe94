"""RFC 6750 over HTTP: how a token is sent, and what a refusal says."""

import re
from typing import Any, Final

import pytest
from rest_framework.test import APIClient

from drf_apikit.testing import InMemoryIssuer, assert_problem
from tests.compliance.tokens import answer

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.authentication.urls")]

#: A challenge with quoted parameters (RFC 9110 section 11.2).
CHALLENGE: Final = re.compile(r'Bearer ((?:[a-z_]+="[^"\\]*"(?:, |$))+)')
PARAMETER: Final = re.compile(r'([a-z_]+)="([^"]*)"')


@pytest.fixture
def token(oidc_issuer: InMemoryIssuer) -> str:
    return oidc_issuer.signed_token("robot", client_id="robot", scope="notes:read")


def parameters(response: Any) -> dict[str, str]:
    """Read a challenge; a parameter that comes twice fails."""
    challenge = CHALLENGE.fullmatch(response.headers["WWW-Authenticate"])
    assert challenge, response.headers["WWW-Authenticate"]
    pairs = PARAMETER.findall(challenge[1])
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@pytest.mark.compliance("RFC 6750", "2.1")
def test_a_token_is_taken_from_the_header(token: str) -> None:
    assert answer(token).status_code == 200


@pytest.mark.compliance("RFC 6750", "2.2")
def test_a_token_is_not_taken_from_a_body(token: str) -> None:
    response = APIClient().post(
        "/scoped/",
        f"access_token={token}",
        content_type="application/x-www-form-urlencoded",
    )
    assert_problem(response, 401, "not-authenticated")
    assert parameters(response) == {"realm": "api"}


@pytest.mark.compliance("RFC 6750", "2.3")
def test_a_token_is_not_taken_from_the_uri(token: str) -> None:
    response = APIClient().get(f"/me/?access_token={token}")
    assert_problem(response, 401, "not-authenticated")


@pytest.mark.compliance("RFC 6750", "2")
@pytest.mark.compliance("RFC 6750", "3.1")
def test_two_ways_of_sending_one_are_an_invalid_request(token: str) -> None:
    response = answer(token, f"/me/?access_token={token}")
    assert_problem(response, 400, "invalid-authorization")
    assert parameters(response) == {"realm": "api", "error": "invalid_request"}


@pytest.mark.compliance("RFC 6750", "3")
@pytest.mark.compliance("RFC 6750", "3.1")
def test_without_credentials_there_is_a_challenge_without_an_error() -> None:
    response = APIClient().get("/me/")
    assert response.status_code == 401
    assert parameters(response) == {"realm": "api"}


@pytest.mark.compliance("RFC 6750", "3")
@pytest.mark.parametrize(
    "line", ["GET /me/", "GET /scoped/", "POST /mapped/", "OPTIONS /me/"]
)
@pytest.mark.parametrize("credentials", [None, "bad", "of another scope"])
def test_every_refusal_has_one_challenge(
    token: str, line: str, credentials: str | None
) -> None:
    sent = {"of another scope": token, "bad": "a.b.c"}.get(credentials or "")
    headers = {} if sent is None else {"Authorization": f"Bearer {sent}"}
    method, url = line.split(" ")
    response = APIClient().generic(method, url, headers=headers)
    if response.status_code < 400:
        assert credentials == "of another scope"
        assert "WWW-Authenticate" not in response.headers
        return
    named = parameters(response)
    assert named["realm"] == "api"
    assert (
        named.get("error")
        == {
            None: None,
            "bad": "invalid_token",
            "of another scope": "insufficient_scope",
        }[credentials]
    )


@pytest.mark.compliance("RFC 6750", "3.1")
@pytest.mark.parametrize(
    ("sent", "status", "error"),
    [
        ("a=b", 400, "invalid_request"),
        ("a.b.c", 401, "invalid_token"),
    ],
)
def test_each_error_has_its_status(sent: str, status: int, error: str) -> None:
    response = answer(sent)
    assert response.status_code == status
    assert parameters(response) == {"realm": "api", "error": error}


@pytest.mark.compliance("RFC 6750", "3")
@pytest.mark.compliance("RFC 6750", "3.1")
def test_a_missing_scope_is_named(token: str) -> None:
    response = answer(token, "/scoped/")
    assert_problem(response, 403, "insufficient-scope", scope="notes:list notes:read")
    assert parameters(response) == {
        "realm": "api",
        "error": "insufficient_scope",
        "scope": "notes:list notes:read",
    }


@pytest.mark.compliance("RFC 6750", "3")
def test_scopes_are_told_apart_by_case(oidc_issuer: InMemoryIssuer) -> None:
    scope = "Notes:read NOTES:LIST"
    loud = oidc_issuer.signed_token("robot", client_id="robot", scope=scope)
    assert answer(loud, "/scoped/").status_code == 403


@pytest.mark.compliance("RFC 6750", "3")
@pytest.mark.parametrize(
    "sent", ['"', "\\", '" error="x', "a\rb", "\xe9", "%22", "x" * 2000], ids=ascii
)
def test_nothing_that_was_sent_comes_back_in_a_challenge(sent: str) -> None:
    """So that no value has what it must not have."""
    response = answer(sent)
    assert set(parameters(response)) <= {"realm", "error"}
    assert set(parameters(response).values()) <= {
        "api",
        "invalid_request",
        "invalid_token",
    }
