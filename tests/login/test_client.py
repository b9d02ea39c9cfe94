import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from django.core.exceptions import ImproperlyConfigured
from django.views.debug import ExceptionReporter

from drf_apikit.login.client import revoke_token, token_request
from drf_apikit.login.registration import registration
from drf_apikit.oidc.token_endpoint import ProviderUnavailableError
from tests.jose.minting import private_key
from tests.login.answers import as_text
from tests.login.granting import Client
from tests.login.provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    DISCOVERY,
    REVOKE,
    TOKEN,
    Provider,
)

FORM = {"grant_type": "client_credentials"}
#: Its scope is nothing that can be sent.
ODD = {"refresh_token": "a-token-that-is-secret", "scope": "\ud800"}
METHODS = "token_endpoint_auth_methods_supported"


def pem_of(kind: str) -> str:
    text: bytes = private_key(kind).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return text.decode()


def option(settings: Any, **values: Any) -> None:
    login = {**settings.DRF_APIKIT["LOGIN"], **values}
    settings.DRF_APIKIT = {**settings.DRF_APIKIT, "LOGIN": login}


def way(provider: Provider) -> str:
    """Ask for a token, and say how this client has proved itself."""
    token_request(registration(), FORM)
    seen = provider.last(TOKEN)
    if "authorization" in seen.headers:
        return "client_secret_basic"
    if "client_assertion" in seen.form:
        return "private_key_jwt"
    return "client_secret_post" if "client_secret" in seen.form else "none"


@pytest.mark.compliance("RFC 6749", "2.3.1")
@pytest.mark.parametrize(
    ("methods", "setting", "expected"),
    [
        (None, None, "client_secret_basic"),
        (["client_secret_post"], None, "client_secret_post"),
        (["client_secret_post", "client_secret_basic"], None, "client_secret_basic"),
        (["private_key_jwt"], None, "client_secret_basic"),
        (["client_secret_basic"], False, "client_secret_post"),
        (["client_secret_post"], True, "client_secret_basic"),
    ],
)
def test_a_secret_is_sent_as_the_provider_can_take_it(
    provider: Provider,
    login_settings: Any,
    methods: Any,
    setting: bool | None,
    expected: str,
) -> None:
    provider.metadata[METHODS] = methods
    if setting is not None:
        login_settings.OIDC_TOKEN_USE_BASIC_AUTH = setting
    assert way(provider) == expected


def test_the_projects_choice_counts_most(
    provider: Provider, login_settings: Any
) -> None:
    login_settings.OIDC_TOKEN_USE_BASIC_AUTH = True
    option(login_settings, CLIENT_AUTH_METHOD="client_secret_post")
    assert way(provider) == "client_secret_post"


@pytest.mark.compliance("RFC 7523", "2.2")
def test_a_key_instead_of_a_secret(provider: Provider, login_settings: Any) -> None:
    provider.clients[CLIENT_ID] = Client(CLIENT_ID, key="RSA")
    login_settings.OIDC_RP_CLIENT_SECRET = None
    option(login_settings, PRIVATE_KEY=pem_of("RSA"))
    assert way(provider) == "private_key_jwt"
    assert CLIENT_SECRET not in str(provider.seen)


def test_a_public_client(provider: Provider, login_settings: Any) -> None:
    login_settings.OIDC_RP_CLIENT_SECRET = None
    provider.answers[TOKEN] = as_text(
        200,
        '{"access_token": "a", "token_type": "Bearer"}',
        {"Content-Type": "application/json"},
    )
    assert way(provider) == "none"
    assert provider.last(TOKEN).form["client_id"] == CLIENT_ID


def test_without_metadata_the_best_way_is_taken(
    provider: Provider, login_settings: Any
) -> None:
    provider.answers[DISCOVERY] = as_text(500, "")
    with pytest.raises(ProviderUnavailableError):
        token_request(registration(), FORM)
    login_settings.OIDC_OP_TOKEN_ENDPOINT = provider.url + TOKEN
    assert way(provider) == "client_secret_basic"


@pytest.mark.compliance("RFC 7009", "2")
def test_a_token_is_revoked_where_that_can_be(
    provider: Provider, login_settings: Any
) -> None:
    assert login_settings
    revoke_token("a-token")
    assert provider.last(REVOKE).form["token"] == "a-token"


@pytest.mark.usefixtures("login_settings")
@pytest.mark.parametrize("call", ["token_request", "revoke_token"])
def test_a_report_of_a_fault_shows_no_token(call: str) -> None:
    report = ""
    try:
        if call == "token_request":
            token_request(registration(), ODD)
        else:
            revoke_token("".join(ODD.values()))
    except UnicodeEncodeError:
        report = ExceptionReporter(None, *sys.exc_info()).get_traceback_html()
    assert call in report
    assert ODD["refresh_token"] not in report
    assert CLIENT_SECRET not in report


#: Not in the lines of code that a report shows.
DER = "QUJD" * 8
UNUSABLE = f"-----BEGIN PRIVATE KEY-----\n{DER}\n-----END PRIVATE KEY-----"


def test_a_key_that_cannot_be_used_is_a_fault_of_the_settings(
    provider: Provider, login_settings: Any
) -> None:
    option(login_settings, PRIVATE_KEY=UNUSABLE)
    assert way(provider) == "client_secret_basic"
    option(login_settings, CLIENT_AUTH_METHOD="private_key_jwt")
    try:
        token_request(registration(), FORM)
    except ImproperlyConfigured as error:
        report = ExceptionReporter(None, *sys.exc_info()).get_traceback_html()
        told = str(error)
    assert "_signing_key" in report
    assert told.startswith("DRF_APIKIT['LOGIN']['PRIVATE_KEY']: no private key in PEM")
    assert DER not in report
