import hashlib
import logging
from typing import Any

import pytest

from tests.jose.minting import base64url
from tests.login.answers import as_text
from tests.login.provider import CLIENT_ID, DISCOVERY, Provider
from tests.login.website import Browser, open_website, query_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(provider: Provider, login_settings: Any, monkeypatch: Any) -> Browser:
    return open_website(provider, login_settings, monkeypatch)


def asked(browser: Browser, **query: str) -> dict[str, str]:
    return query_of(browser.begin(**query)["Location"])


def entry_of(browser: Browser, state: str) -> Any:
    return browser.client.session["oidc_states"][state]


@pytest.mark.compliance("OIDC Core 1.0", "3.1.2.1")
def test_what_is_asked_for(browser: Browser) -> None:
    redirect = browser.begin()
    assert redirect.status_code == 302
    assert redirect["Location"].startswith(browser.provider.url + "/authorize?")
    query = query_of(redirect["Location"])
    assert query.keys() == {
        *("scope", "response_type", "client_id", "redirect_uri", "state", "nonce"),
        *("code_challenge", "code_challenge_method"),
    }
    assert query["scope"] == "openid email"
    assert query["response_type"] == "code"
    assert query["client_id"] == CLIENT_ID
    assert query["redirect_uri"] == "http://testserver/oidc/callback/"
    assert len(query["state"]) == len(query["nonce"]) == 32


@pytest.mark.compliance("RFC 7636", "4.2")
def test_the_challenge_is_the_hash_of_the_verifier(browser: Browser) -> None:
    query = asked(browser)
    entry = entry_of(browser, query["state"])
    digest = hashlib.sha256(entry["code_verifier"].encode()).digest()
    assert query["code_challenge"] == base64url(digest)
    assert query["code_challenge_method"] == "S256"
    assert len(entry["code_verifier"]) == 64
    assert entry["nonce"] == query["nonce"]
    assert entry["issuer"] == browser.provider.url


@pytest.mark.compliance("RFC 9700", "4.7.1")
def test_each_request_has_secrets_of_its_own(browser: Browser) -> None:
    first, second = asked(browser), asked(browser)
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]


def test_sizes_are_those_of_mozillas_settings(browser: Browser) -> None:
    browser.settings.OIDC_STATE_SIZE = 40
    browser.settings.OIDC_NONCE_SIZE = 50
    browser.settings.OIDC_PKCE_CODE_VERIFIER_SIZE = 100
    query = asked(browser)
    assert len(query["state"]) == 40
    assert len(query["nonce"]) == 50
    assert len(entry_of(browser, query["state"])["code_verifier"]) == 100


@pytest.mark.parametrize(("size", "length"), [(1, 43), (1000, 128)])
def test_no_size_is_too_small_to_be_safe(
    browser: Browser, size: int, length: int
) -> None:
    browser.settings.OIDC_STATE_SIZE = 1
    browser.settings.OIDC_NONCE_SIZE = 1
    browser.settings.OIDC_PKCE_CODE_VERIFIER_SIZE = size
    query = asked(browser)
    assert len(query["state"]) == len(query["nonce"]) == 22
    assert len(entry_of(browser, query["state"])["code_verifier"]) == length


def test_no_size_is_too_large_for_the_answer(browser: Browser) -> None:
    browser.settings.OIDC_STATE_SIZE = 600
    browser.log_in()
    assert browser.who() == "alice@example.com"


@pytest.mark.parametrize(
    ("setting", "missing"),
    [("OIDC_USE_PKCE", "code_challenge"), ("OIDC_USE_NONCE", "nonce")],
)
def test_one_of_the_two_proofs_can_be_off(
    browser: Browser, setting: str, missing: str
) -> None:
    setattr(browser.settings, setting, False)
    assert missing not in asked(browser)
    browser.log_in()
    assert browser.who() == "alice@example.com"


def test_extra_parameters_change_nothing_that_the_answer_is_judged_by(
    browser: Browser, caplog: Any
) -> None:
    ours = ("state", "nonce", "code_challenge", "redirect_uri", "client_id")
    others = ("response_type", "response_mode", "request", "request_uri")
    evil = dict.fromkeys((*ours, *others, "code_challenge_method"), "evil")
    extra = {"prompt": "login", "acr_values": "a b", "scope": "openid api"}
    browser.settings.OIDC_AUTH_REQUEST_EXTRA_PARAMS = {**evil, **extra}
    query = asked(browser)
    assert "evil" not in query.values()
    assert query["response_type"] == "code"
    assert "request" not in query
    assert query.items() >= extra.items()
    assert "The extra parameter state of the login is left out" in caplog.text


def test_max_age_is_asked_for_whatever_else_is(browser: Browser, caplog: Any) -> None:
    browser.settings.OIDC_AUTH_REQUEST_EXTRA_PARAMS = {"max_age": 9999}
    # Nobody would see to it that the provider has obeyed.
    assert "max_age" not in asked(browser)
    assert "max_age of the login is left out: DRF_APIKIT['LOGIN']" in caplog.text
    browser.option(MAX_AGE=60)
    assert asked(browser)["max_age"] == "60"


def test_scopes_are_those_of_the_settings(browser: Browser) -> None:
    browser.settings.OIDC_RP_SCOPES = "openid email ledger:read"
    assert asked(browser)["scope"] == "openid email ledger:read"


@pytest.mark.compliance("RFC 6749", "3.1")
def test_the_query_of_the_endpoint_stays(browser: Browser) -> None:
    endpoint = browser.provider.url + "/authorize?tenant=1"
    browser.provider.metadata["authorization_endpoint"] = endpoint
    url = browser.begin()["Location"]
    assert url.startswith(f"{endpoint}&")
    assert query_of(url)["tenant"] == "1"


def test_an_endpoint_of_the_settings_needs_no_discovery(browser: Browser) -> None:
    browser.provider.answers[DISCOVERY] = as_text(500, "down")
    url = browser.provider.url + "/elsewhere"
    browser.settings.OIDC_OP_AUTHORIZATION_ENDPOINT = url
    assert browser.begin()["Location"].startswith(f"{url}?")


def test_a_provider_that_is_down(browser: Browser, caplog: Any) -> None:
    browser.provider.answers[DISCOVERY] = as_text(500, "down")
    browser.settings.LOGIN_REDIRECT_URL_FAILURE = "/loops/"
    answer = browser.begin(next="/who/")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "10"
    page = answer.content.decode()
    assert "provider_unavailable" in page
    assert "/oidc/authenticate/?next=%2Fwho%2F" in page
    assert [
        each.levelno for each in caplog.records if "A login failed" in each.msg
    ] == [logging.WARNING]


def test_the_callback_may_be_another_view(browser: Browser) -> None:
    browser.settings.OIDC_AUTHENTICATION_CALLBACK_URL = "who"
    assert asked(browser)["redirect_uri"] == "http://testserver/who/"
