"""The cookie of a session lives as long as the session."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from tests.login import website
from tests.login.provider import TOKEN, Provider
from tests.login.website import Browser, open_website

pytestmark = pytest.mark.django_db

DUE = 241
ALICE = "alice@example.com"


def _broken(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=500)


def _flushed(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    return HttpResponse()


class Urls:
    """The URLs of the project, with what spoils a cookie."""

    urlpatterns = [
        *website.urlpatterns,
        path("broken/", _broken),
        path("flushed/", _flushed),
    ]


@pytest.fixture
def browser(provider: Provider, login_settings: Any, monkeypatch: Any) -> Browser:
    return open_website(provider, login_settings, monkeypatch)


def visit(browser: Browser, url: str = "/who/") -> Any:
    return browser.client.get(url).cookies.get("sessionid")


def test_who_is_active_stays(browser: Browser) -> None:
    browser.settings.SESSION_COOKIE_AGE = 600
    browser.log_in()
    for _ in range(4):
        browser.clock.now += DUE
        cookie = visit(browser)
        assert cookie["max-age"] == 600
        assert cookie.value == browser.client.session.session_key
        # It is sent with what has changed, and not with everything.
        assert visit(browser) is None
    assert browser.who() == ALICE


def test_it_is_the_cookie_that_django_sets(browser: Browser) -> None:
    browser.settings.SESSION_COOKIE_SECURE = True
    browser.settings.SESSION_COOKIE_SAMESITE = "Strict"
    browser.settings.SESSION_COOKIE_DOMAIN = ".example.com"
    browser.settings.SESSION_COOKIE_PATH = "/"
    browser.client = Client()
    browser.log_in()
    browser.clock.now += DUE
    ours = visit(browser)
    browser.settings.SESSION_SAVE_EVERY_REQUEST = True
    assert ours.output() == visit(browser).output()
    assert "Secure" in ours.output()


def test_what_others_change_is_not_saved_by_it(browser: Browser) -> None:
    browser.log_in()
    browser.clock.now += DUE
    answer = browser.client.get("/who/")
    assert "sessionid" in answer.cookies
    assert not answer.wsgi_request.session.modified


def test_a_request_that_finds_it_renewed_tells_the_browser_too(
    browser: Browser,
) -> None:
    browser.log_in()
    older = browser.client.session
    assert older["oidc_id_token_expiration"]
    browser.clock.now += DUE
    assert visit(browser) is not None
    older.save()
    assert visit(browser) is not None
    assert browser.provider.count(TOKEN) == 2


def test_one_that_ends_with_the_browser_has_no_end_to_move(browser: Browser) -> None:
    browser.settings.SESSION_EXPIRE_AT_BROWSER_CLOSE = True
    browser.log_in()
    browser.clock.now += DUE
    assert visit(browser) is None
    assert browser.provider.count(TOKEN) == 2


def test_an_answer_that_failed_sets_none(browser: Browser) -> None:
    browser.settings.ROOT_URLCONF = Urls
    browser.log_in()
    browser.clock.now += DUE
    assert visit(browser, "/broken/") is None


def test_a_session_that_the_request_has_ended_gets_none(browser: Browser) -> None:
    browser.settings.ROOT_URLCONF = Urls
    browser.log_in()
    browser.clock.now += DUE
    assert visit(browser, "/flushed/")["max-age"] == 0
    assert browser.who() == "nobody"
