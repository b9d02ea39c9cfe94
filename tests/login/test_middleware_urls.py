"""Where the login is, as the request that is under way has it."""

from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.test import Client
from django.test.utils import override_script_prefix
from django.urls import path, reverse_lazy

from drf_apikit.login.views import OIDCAuthenticationCallbackView
from tests.login import website
from tests.login.provider import AUTHORIZE, Provider
from tests.login.website import MIDDLEWARE, Browser, open_website, query_of

pytestmark = pytest.mark.django_db

LIFE = 300
LOCALE = "django.middleware.locale.LocaleMiddleware"
PATTERNS: list[Any] = [*website.urlpatterns]


class Localised:
    """The URLs of a project in which each language has its own."""

    urlpatterns = i18n_patterns(*PATTERNS)


class Elsewhere:
    """The URLs of a project whose provider knows another callback."""

    urlpatterns = [
        *PATTERNS,
        path("back/", OIDCAuthenticationCallbackView.as_view(), name="back"),
    ]


@pytest.fixture
def browser(provider: Provider, login_settings: Any, monkeypatch: Any) -> Browser:
    provider.tokens["refresh_token"] = None
    return open_website(provider, login_settings, monkeypatch)


def go_round(browser: Browser, url: str, **extra: Any) -> str:
    """Follow a silent renewal, and tell where it leads to."""
    redirect = browser.client.get(url, **extra)
    asked = query_of(redirect["Location"])["redirect_uri"]
    answer = browser.answer_of(redirect)
    prefix = extra.get("SCRIPT_NAME", "")
    callback = asked.removeprefix(f"http://testserver{prefix}")
    location: str = browser.client.get(callback, answer, **extra)["Location"]
    return location


def test_each_language_may_have_its_own_paths(browser: Browser) -> None:
    browser.settings.ROOT_URLCONF = Localised
    browser.settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    browser.settings.MIDDLEWARE = [MIDDLEWARE[0], LOCALE, *MIDDLEWARE[1:]]
    browser.client = Client()
    assert go_round(browser, "/de/oidc/authenticate/") == "/home/"
    browser.clock.now += LIFE
    assert go_round(browser, "/en/who/") == "/en/who/"
    browser.clock.now += LIFE
    assert go_round(browser, "/de/who/") == "/de/who/"


def test_a_proxy_may_put_the_project_elsewhere(browser: Browser) -> None:
    browser.log_in()
    assert browser.who() == "alice@example.com"
    browser.clock.now += LIFE
    # The test client leaves it to others to set the prefix.
    with override_script_prefix("/app/"):
        assert go_round(browser, "/who/", SCRIPT_NAME="/app") == "/app/who/"


def test_the_callback_may_have_another_name(browser: Browser) -> None:
    browser.settings.ROOT_URLCONF = Elsewhere
    browser.settings.OIDC_AUTHENTICATION_CALLBACK_URL = "back"
    assert go_round(browser, "/oidc/authenticate/") == "/home/"
    browser.clock.now += LIFE
    assert go_round(browser, "/who/") == "/who/"
    assert browser.provider.count(AUTHORIZE) == 2


def test_a_project_may_name_what_not_each_of_its_hosts_has(browser: Browser) -> None:
    browser.settings.OIDC_EXEMPT_URLS = ["of another host", reverse_lazy("who")]
    browser.client = Client()
    browser.log_in()
    browser.clock.now += 10 * LIFE
    assert browser.who() == "alice@example.com"
    assert browser.client.get("/home/").status_code == 302


def test_none_are_none(browser: Browser) -> None:
    browser.settings.OIDC_EXEMPT_URLS = None
    browser.settings.OIDC_AUTH_REQUEST_EXTRA_PARAMS = {}
    browser.client = Client()
    browser.log_in()
    browser.settings.OIDC_AUTH_REQUEST_EXTRA_PARAMS = None
    browser.clock.now += LIFE
    assert go_round(browser, "/who/") == "/who/"
