from typing import Any, Final

import pytest
from django.http import QueryDict

from drf_apikit.login.attempts import Attempt
from drf_apikit.login.authorization_response import (
    AuthorizationResponse,
    authorization_response,
    check_issuer,
    refusal,
)
from drf_apikit.login.errors import LoginError, Reason
from tests.login.answers import as_text
from tests.login.provider import DISCOVERY, Provider

MISMATCH: Final = "issuer_mismatch 400"
SENDS: Final = "authorization_response_iss_parameter_supported"


def refused(query: str) -> str:
    with pytest.raises(LoginError) as caught:
        authorization_response(QueryDict(query))
    assert caught.value.reason is Reason.RESPONSE_MALFORMED
    assert caught.value.status == 400
    return caught.value.detail


@pytest.mark.compliance("RFC 6749", "4.1.2")
def test_an_answer_with_a_code() -> None:
    query = "code=a%20b&state=s&iss=https%3A%2F%2Fid.example&session_state=x&x=1&x=2"
    found = authorization_response(QueryDict(query))
    assert found == AuthorizationResponse("s", "a b", None, "https://id.example")


@pytest.mark.compliance("RFC 6749", "4.1.2.1")
def test_an_answer_with_an_error() -> None:
    query = "error=access_denied&state=s&error_description=n%C3%B6%0A&error_uri=x"
    found = authorization_response(QueryDict(query))
    assert found == AuthorizationResponse("s", None, "access_denied", None)


@pytest.mark.compliance("RFC 6749", "3.1")
@pytest.mark.parametrize("name", ["code", "state", "iss", "error_description"])
def test_no_parameter_comes_twice(name: str) -> None:
    assert (
        refused(f"code=c&state=s&{name}=x&{name}=x")
        == f"{name} comes {2 + (name in {'code', 'state'})} times"
    )


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("", "there is no state"),
        ("code=c", "there is no state"),
        ("code=c&state=", "state is not of visible characters"),
        ("state=s", "not one of code and error"),
        ("state=s&code=c&error=e", "not one of code and error"),
        ("state=s&code=", "code is not of visible characters"),
        ("state=s&error=", "error is not of visible characters"),
        ("state=s&code=%C3%A9", "code is not of visible characters"),
        ("state=%00&code=c", "state is not of visible characters"),
        ("state=s%0A&code=c", "state is not of visible characters"),
        ("state=s&code=c&iss=%FF", "iss is not of visible characters"),
        (f"state={'s' * 513}&code=c", "state is too long"),
        (f"state=s&code={'c' * 8193}", "code is too long"),
        (f"state=s&code=c&iss={'i' * 2049}", "iss is too long"),
        (f"state=s&error={'e' * 129}", "error is too long"),
        (f"state=s&error=e&error_uri={'e' * 2049}", "error_uri is too long"),
    ],
)
def test_what_is_no_answer(query: str, detail: str) -> None:
    assert refused(query) == detail


@pytest.mark.parametrize(
    ("error", "reason", "status"),
    [
        ("access_denied", Reason.ACCESS_DENIED, 403),
        ("login_required", Reason.INTERACTION_REQUIRED, 403),
        ("interaction_required", Reason.INTERACTION_REQUIRED, 403),
        ("consent_required", Reason.INTERACTION_REQUIRED, 403),
        ("account_selection_required", Reason.INTERACTION_REQUIRED, 403),
        ("server_error", Reason.PROVIDER_UNAVAILABLE, 400),
        ("temporarily_unavailable", Reason.PROVIDER_UNAVAILABLE, 400),
        ("invalid_scope", Reason.PROVIDER_REFUSED, 400),
        ("what nobody knows", Reason.PROVIDER_REFUSED, 400),
    ],
)
@pytest.mark.compliance("OIDC Core 1.0", "3.1.2.6")
def test_what_an_error_means(error: str, reason: Reason, status: int) -> None:
    found = refusal(error)
    assert (found.reason, found.status, found.detail) == (reason, status, error)


def checked(provider: Provider, iss: str | None, asked: str | None = None) -> str:
    attempt = Attempt(issuer=asked or provider.url, nonce=None, code_verifier=None)
    response = AuthorizationResponse("s", "c", None, iss)
    try:
        check_issuer(response, attempt)
    except LoginError as error:
        return f"{error.reason} {error.status}: {error.detail}"
    return ""


@pytest.mark.compliance("RFC 9207", "2.4")
@pytest.mark.usefixtures("login_settings")
def test_another_provider_must_not_answer(provider: Provider) -> None:
    assert checked(provider, provider.url) == ""
    for other in ("https://evil.example", provider.url + "/", provider.url.upper()):
        assert checked(provider, other) == f"{MISMATCH}: iss is of another one"


@pytest.mark.compliance("RFC 9207", "2.4")
@pytest.mark.usefixtures("login_settings")
@pytest.mark.parametrize(
    ("sends", "detail"),
    [(True, "issuer_mismatch 400: iss is missing"), (False, ""), (None, "")],
)
def test_one_that_names_itself_always_does(
    provider: Provider, sends: bool | None, detail: str
) -> None:
    provider.metadata[SENDS] = sends
    assert checked(provider, None) == detail


def test_one_that_is_down_is_found_out_later(
    provider: Provider, login_settings: Any
) -> None:
    provider.answers[DISCOVERY] = as_text(500, "")
    login_settings.OIDC_OP_TOKEN_ENDPOINT = provider.url + "/token"
    assert checked(provider, None) == ""


@pytest.mark.usefixtures("login_settings")
def test_a_provider_that_was_another_one_when_it_was_asked(provider: Provider) -> None:
    found = checked(provider, None, "https://old.example")
    assert found == f"{MISMATCH}: asked of a former one"
