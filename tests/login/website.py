"""A site with a login, and a browser on it."""

import time
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client
from django.urls import include, path
from rest_framework.authentication import SessionAuthentication
from rest_framework.decorators import (
    api_view,
    authentication_classes,
    permission_classes,
    renderer_classes,
)
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tests.login.provider import Provider

__all__ = [
    "CALLBACK",
    "MIDDLEWARE",
    "Browser",
    "Clock",
    "open_website",
    "query_of",
    "urlpatterns",
]

CALLBACK: Final = "/oidc/callback/"
#: In MIDDLEWARE, with what it needs.
MIDDLEWARE: Final = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "drf_apikit.login.middleware.SessionRefresh",
]


@dataclass
class Clock:
    """A clock that a test sets; it begins with the real time."""

    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


@dataclass
class Browser:
    """A browser, and the provider that it goes to."""

    provider: Provider
    settings: Any
    client: Client = field(default_factory=Client)
    clock: Clock = field(default_factory=Clock)

    def begin(self, **query: str) -> Any:
        """Ask this site to log in."""
        return self.client.get("/oidc/authenticate/", query)

    def answer_of(self, redirect: Any) -> dict[str, str]:
        """Let the provider answer a request; give the parameters of its answer."""
        return query_of(self.provider.visit(redirect["Location"]))

    def finish(self, answer: dict[str, Any], **headers: str) -> Any:
        """Come back with an answer."""
        return self.client.get(CALLBACK, answer, headers=headers)

    def log_in(self, **query: str) -> Any:
        """Log in as a person does."""
        answer = self.finish(self.answer_of(self.begin(**query)))
        assert answer.status_code == 302, answer.content
        return answer

    def who(self, **headers: str) -> str:
        """Ask a page who this is."""
        answer = self.client.get("/who/", headers=headers)
        assert answer.status_code == 200, answer
        return answer.content.decode()

    def option(self, **values: Any) -> None:
        """Change the section LOGIN."""
        login = {**self.settings.DRF_APIKIT["LOGIN"], **values}
        self.settings.DRF_APIKIT = {**self.settings.DRF_APIKIT, "LOGIN": login}


def open_website(provider: Provider, settings: Any, monkeypatch: Any) -> Browser:
    """Give a browser on a site whose clock stands still."""
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = MIDDLEWARE
    settings.LOGIN_REDIRECT_URL = "/home/"
    browser = Browser(provider, settings)
    monkeypatch.setattr(time, "time", browser.clock)
    provider.clock = browser.clock
    return browser


def query_of(url: str) -> dict[str, str]:
    """Give the parameters of a URL."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _who(request: HttpRequest) -> HttpResponse:
    user = request.user
    name = user.email if user.is_authenticated else "nobody"
    return HttpResponse(name)


def _basket(request: HttpRequest) -> JsonResponse:
    """Put something into the session."""
    if request.method == "POST":
        request.session["basket"] = [*request.session.get("basket", []), "apple"]
    return JsonResponse({"basket": request.session.get("basket", [])})


@api_view(["GET"])
@authentication_classes([SessionAuthentication])
@permission_classes([AllowAny])
@renderer_classes([BrowsableAPIRenderer])
def _browsable(_request: Request) -> Response:
    return Response({"hello": "world"})


urlpatterns = [
    path("oidc/", include("drf_apikit.login.urls")),
    path("api-auth/", include("drf_apikit.login.browsable_urls")),
    path("who/", _who, name="who"),
    path("home/", _who, name="home"),
    path("basket/", _basket),
    path("api/", _browsable),
]
