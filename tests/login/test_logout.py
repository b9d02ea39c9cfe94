from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from drf_apikit.login.sessions import ticket_of, tokens_of
from drf_apikit.login.vault import kept
from tests.login.answers import as_refusal, as_text
from tests.login.provider import (
    CLIENT_ID,
    DISCOVERY,
    END_SESSION,
    EVERY,
    REVOKE,
    Provider,
    serving,
)
from tests.login.website import Browser, open_website, query_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(provider: Provider, login_settings: Any, monkeypatch: Any) -> Browser:
    browser = open_website(provider, login_settings, monkeypatch)
    browser.log_in()
    return browser


def leave(browser: Browser, url: str = "/oidc/logout/", **posted: str) -> str:
    answer = browser.client.post(url, posted)
    assert answer.status_code == 302
    assert "no-store" in answer["Cache-Control"]
    assert browser.who() == "nobody"
    location: str = answer["Location"]
    return location


@pytest.mark.compliance("OIDC RP-Initiated Logout 1.0", "2")
def test_a_person_leaves_here_and_at_the_provider(browser: Browser) -> None:
    tokens = tokens_of(browser.client.session)
    assert tokens is not None
    url = leave(browser)
    assert url.startswith(browser.provider.url + END_SESSION + "?")
    query = query_of(url)
    assert query["id_token_hint"] == tokens.id_token
    assert query["client_id"] == CLIENT_ID
    assert query["post_logout_redirect_uri"] == "http://testserver/"
    back = query_of(browser.provider.visit(url))
    assert back == {"state": query["state"]}


@pytest.mark.compliance("RFC 7009", "2.1")
def test_the_refresh_token_is_revoked(browser: Browser) -> None:
    tokens = tokens_of(browser.client.session)
    assert tokens is not None
    leave(browser)
    assert browser.provider.last(REVOKE).form["token"] == tokens.refresh_token
    assert browser.provider.grants.refresh[str(tokens.refresh_token)].revoked


def test_no_token_stays_behind(browser: Browser) -> None:
    session = browser.client.session
    ticket = ticket_of(session)
    assert ticket is not None
    assert kept(session, ticket.vault) is not None
    leave(browser)
    assert kept(session, ticket.vault) is None


def test_djangos_own_logout_leaves_no_token_behind_either(browser: Browser) -> None:
    session = browser.client.session
    ticket = ticket_of(session)
    assert ticket is not None
    browser.client.logout()
    assert kept(session, ticket.vault) is None


@pytest.mark.parametrize("path", [EVERY, DISCOVERY, REVOKE])
@pytest.mark.parametrize("answer", [as_text(500, "down"), as_refusal(400, "x")])
def test_nothing_at_the_provider_keeps_a_person_in(
    browser: Browser, path: str, answer: Any
) -> None:
    browser.provider.answers[path] = answer
    leave(browser)


def test_a_provider_that_was_never_reached(
    provider: Provider, login_settings: Any, monkeypatch: Any
) -> None:
    browser = open_website(provider, login_settings, monkeypatch)
    for name in ("AUTHORIZATION", "TOKEN", "USER", "JWKS"):
        path = {"USER": "/userinfo", "AUTHORIZATION": "/authorize", "JWKS": "/keys"}
        url = provider.url + path.get(name, "/token")
        setattr(login_settings, f"OIDC_OP_{name}_ENDPOINT", url)
    login_settings.OIDC_TOKEN_USE_BASIC_AUTH = True
    provider.answers[DISCOVERY] = as_text(500, "down")
    browser.log_in(next="/who/")
    assert leave(browser) == "/"
    assert provider.count(REVOKE) == 0


@pytest.mark.parametrize(
    "metadata", [{"end_session_endpoint": None, "revocation_endpoint": None}]
)
def test_a_provider_that_has_no_logout(
    provider: Provider, login_settings: Any, monkeypatch: Any, metadata: Any
) -> None:
    provider.metadata = metadata
    browser = open_website(provider, login_settings, monkeypatch)
    browser.log_in()
    login_settings.LOGOUT_REDIRECT_URL = "/home/"
    assert leave(browser) == "/home/"
    assert provider.count(REVOKE) == 0


def test_the_endpoint_may_have_a_query(
    provider: Provider, login_settings: Any, monkeypatch: Any
) -> None:
    endpoint = f"{provider.url}{END_SESSION}?tenant=1"
    provider.metadata = {"end_session_endpoint": endpoint}
    browser = open_website(provider, login_settings, monkeypatch)
    browser.log_in()
    assert leave(browser).startswith(f"{endpoint}&client_id=")


def test_by_a_setting_people_leave_here_alone(browser: Browser) -> None:
    browser.option(LOGOUT_AT_PROVIDER=False)
    assert leave(browser, next="/who/") == "/who/"


@pytest.mark.parametrize("where", ["posted", "query"])
@pytest.mark.parametrize(
    ("wanted", "url"), [("/who/", "/who/"), ("//evil.example", "/"), ("", "/")]
)
def test_where_to_go_is_safe(
    browser: Browser, where: str, wanted: str, url: str
) -> None:
    browser.option(LOGOUT_AT_PROVIDER=False)
    if where == "posted":
        assert leave(browser, next=wanted) == url
    else:
        assert leave(browser, f"/oidc/logout/?next={wanted}") == url


def test_a_token_too_long_for_a_url_is_no_hint(browser: Browser) -> None:
    browser.provider.claims["picture"] = "x" * 4000
    browser.log_in()
    assert "id_token_hint" not in query_of(leave(browser))


def test_where_get_is_allowed_it_logs_out(browser: Browser) -> None:
    assert browser.client.get("/oidc/logout/").status_code == 405
    assert browser.who() == "alice@example.com"
    browser.settings.ALLOW_LOGOUT_GET_METHOD = True
    assert browser.client.get("/oidc/logout/").status_code == 302
    assert browser.who() == "nobody"


def test_another_site_logs_nobody_out(browser: Browser) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.client.cookies
    assert strict.post("/oidc/logout/").status_code == 403
    assert browser.who() == "alice@example.com"


def chosen_url(request: Any) -> str:
    return f"https://id.example/bye?hint={request.session['oidc_id_token']}"


def broken(request: Any) -> str:
    raise LookupError(request)


def test_mozillas_setting_says_where_the_provider_logs_out(browser: Browser) -> None:
    browser.settings.OIDC_STORE_ID_TOKEN = True
    browser.settings.OIDC_OP_LOGOUT_URL_METHOD = f"{__name__}.chosen_url"
    browser.log_in()
    token = browser.client.session["oidc_id_token"]
    assert leave(browser) == f"https://id.example/bye?hint={token}"


def test_a_fault_of_that_method_keeps_nobody_in(browser: Browser, caplog: Any) -> None:
    browser.settings.OIDC_OP_LOGOUT_URL_METHOD = f"{__name__}.broken"
    assert leave(browser).startswith(browser.provider.url)
    assert "OIDC_OP_LOGOUT_URL_METHOD" in caplog.text


def test_who_came_by_password_leaves_here_alone(browser: Browser) -> None:
    browser.client.logout()
    user = get_user_model().objects.get()
    browser.client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    assert leave(browser) == "/"


def test_nobody_can_leave_too(browser: Browser) -> None:
    browser.client.logout()
    assert leave(browser, next="/who/") == "/who/"


def test_the_hint_may_be_what_the_setting_has_stored(browser: Browser) -> None:
    browser.settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    browser.settings.OIDC_STORE_ID_TOKEN = True
    browser.client = Client()
    browser.log_in()
    token = browser.client.session["oidc_id_token"]
    assert query_of(leave(browser))["id_token_hint"] == token


@pytest.mark.compliance("RFC 9700", "4.4")
def test_another_provider_gets_no_token_of_the_former_one(browser: Browser) -> None:
    with serving() as other:
        browser.option(ISSUER=other.url)
        assert leave(browser) == "/"
        assert not other.seen
    assert browser.provider.count(REVOKE) == 0
