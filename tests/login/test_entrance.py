from typing import Any

import pytest
from django.db import connections
from django.test import Client, RequestFactory
from django.urls import resolve

from drf_apikit.login.views import OIDCAuthenticationRequestView
from tests.login.provider import Provider
from tests.login.website import MIDDLEWARE, open_website

REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"
PATHS = [
    *("/oidc/authenticate/", "/oidc/callback/", "/oidc/logout/"),
    *("/api-auth/login/", "/api-auth/logout/"),
]


class Own(OIDCAuthenticationRequestView):
    """Overrides what a mark on `dispatch` would be lost with."""

    def dispatch(self, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(*args, **kwargs)


@pytest.mark.django_db
@pytest.mark.parametrize("start", ["/oidc/authenticate/", "/api-auth/login/"])
def test_who_has_to_log_in_can(
    provider: Provider, login_settings: Any, monkeypatch: Any, start: str
) -> None:
    browser = open_website(provider, login_settings, monkeypatch)
    login_settings.MIDDLEWARE = [*MIDDLEWARE, REQUIRED]
    login_settings.LOGIN_URL = "oidc_authentication_init"
    browser.client = Client()
    page = browser.client.get("/who/")
    assert page["Location"] == "/oidc/authenticate/?next=/who/"
    redirect = browser.client.get(start, {"next": "/who/"})
    assert redirect["Location"].startswith(provider.url)
    assert browser.finish(browser.answer_of(redirect))["Location"] == "/who/"
    assert browser.who() == "alice@example.com"
    assert browser.client.post("/oidc/logout/").status_code == 302
    assert browser.client.get("/who/").status_code == 302


@pytest.mark.parametrize("path", PATHS)
def test_no_view_needs_a_login_or_a_transaction(settings: Any, path: str) -> None:
    settings.ROOT_URLCONF = "tests.login.website"
    view: Any = resolve(path).func
    assert view.login_required is False
    assert vars(view)["_non_atomic_requests"] == {"default"}


def test_no_database_has_a_transaction(monkeypatch: Any) -> None:
    other = connections.settings["default"]
    monkeypatch.setitem(connections.settings, "other", other)
    view = OIDCAuthenticationRequestView.as_view()
    assert vars(view)["_non_atomic_requests"] == {"default", "other"}


def test_views_of_a_project_are_marked_too() -> None:
    view = Own.as_view()
    assert view.login_required is False
    assert view(RequestFactory().put("/")).status_code == 405
