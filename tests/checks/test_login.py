from typing import Any, Final

import pytest
from django.core.checks import run_checks
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from mozilla_django_oidc.auth import OIDCAuthenticationBackend as Unverifying

from drf_apikit.checks import (
    check_deployed_login,
    check_login,
    check_login_views,
    register,
)
from drf_apikit.login.backend import OIDCAuthenticationBackend
from drf_apikit.login.middleware import SessionRefresh
from drf_apikit.login.views import OIDCAuthenticationCallbackView

ISSUER: Final = "https://id.example"
OURS: Final = "drf_apikit.login.OIDCAuthenticationBackend"
THEIRS: Final = "mozilla_django_oidc.auth.OIDCAuthenticationBackend"
MODEL: Final = "django.contrib.auth.backends.ModelBackend"
REFRESH: Final = "drf_apikit.login.SessionRefresh"
SESSIONS: Final = "django.contrib.sessions.middleware.SessionMiddleware"
AUTHENTICATION: Final = "django.contrib.auth.middleware.AuthenticationMiddleware"


class OwnBackend(OIDCAuthenticationBackend):
    """What a project makes of ours."""


class TheirBackend(Unverifying):
    """What a project has made of mozilla's."""


class OwnRefresh(SessionRefresh):
    """What a project makes of ours."""


class OwnCallback(OIDCAuthenticationCallbackView):
    """What a project makes of ours."""


def page(_request: HttpRequest) -> HttpResponse:
    raise AssertionError("nobody asks")


@pytest.fixture(autouse=True)
def _wired(settings: Any) -> None:
    """Let everything be right."""
    settings.DRF_APIKIT = {"LOGIN": {"ISSUER": ISSUER}}
    settings.OIDC_RP_CLIENT_ID = "shop"
    settings.OIDC_RP_CLIENT_SECRET = "word"
    settings.AUTHENTICATION_BACKENDS = [MODEL, OURS]
    settings.MIDDLEWARE = [SESSIONS, AUTHENTICATION, REFRESH]
    settings.SESSION_COOKIE_SECURE = True


def ids(found: list[Any]) -> list[str]:
    return [message.id.removeprefix("drf_apikit.") for message in found]


def test_what_is_right_is_not_told_of(settings: Any) -> None:
    assert check_login() == check_deployed_login() == []
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.OwnBackend"]
    settings.MIDDLEWARE = [AUTHENTICATION, f"{__name__}.OwnRefresh", "nowhere.At"]
    assert check_login() == []


def test_without_a_login_nothing_is_said(settings: Any) -> None:
    settings.DRF_APIKIT = {}
    settings.AUTHENTICATION_BACKENDS = [MODEL, THEIRS, "nowhere.Backend", 7]
    settings.SESSION_COOKIE_SECURE = False
    assert check_login() == check_deployed_login() == check_login_views() == []


def test_of_a_faulty_setting_others_tell(settings: Any) -> None:
    settings.DRF_APIKIT = {"LOGIN": {"ISSUER": 7}}
    assert check_login() == check_deployed_login() == check_login_views() == []


def test_a_backend_without_an_issuer(settings: Any) -> None:
    settings.DRF_APIKIT = {}
    (found,) = check_login()
    assert ids([found]) == ["E016"]
    assert found.msg == "DRF_APIKIT['LOGIN']['ISSUER'] is missing."


def test_what_is_not_obeyed(settings: Any) -> None:
    settings.OIDC_VERIFY_SSL = False
    settings.OIDC_RP_SIGN_ALGO = "HS256"
    found = check_login()
    assert ids(found) == ["E016", "E016"]
    assert [message.msg for message in found] == [
        "OIDC_VERIFY_SSL is not obeyed.",
        "OIDC_RP_SIGN_ALGO is 'HS256'.",
    ]
    assert all(message.hint for message in found)


@pytest.mark.parametrize("name", [THEIRS, f"{__name__}.TheirBackend"])
def test_a_backend_that_verifies_nothing(settings: Any, name: str) -> None:
    settings.AUTHENTICATION_BACKENDS = [OURS, name]
    (found,) = check_login()
    assert ids([found]) == ["E017"]
    assert name in found.msg


def __getattr__(name: str) -> Any:
    """Make a class when it is asked for: it is refused then."""
    if name != "RefusedBackend":
        raise AttributeError(name)
    return type(name, (OIDCAuthenticationBackend,), {"_verify_jws": print})


def test_a_backend_that_cannot_be_made(settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = [7, f"{__name__}.RefusedBackend"]
    (found,) = check_login()
    assert ids([found]) == ["E017"]
    assert "RefusedBackend._verify_jws: tokens are verified before" in found.msg


def test_no_backend_at_all(settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = [MODEL]
    (found,) = check_login()
    assert ids([found]) == ["E017"]
    assert found.hint == f"Add {OURS!r}."


def test_no_middleware(settings: Any) -> None:
    settings.MIDDLEWARE = [SESSIONS, AUTHENTICATION]
    (found,) = check_login()
    assert ids([found]) == ["W023"]
    assert found.hint == f"Add it behind {AUTHENTICATION}."


def test_a_middleware_before_those_it_needs(settings: Any) -> None:
    settings.MIDDLEWARE = [SESSIONS, REFRESH, AUTHENTICATION]
    (found,) = check_login()
    assert ids([found]) == ["E019"]


def test_cookies_that_stay_behind(settings: Any) -> None:
    settings.SESSION_COOKIE_SAMESITE = "Strict"
    assert ids(check_login()) == ["E020"]


def test_sessions_in_cookies(settings: Any) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    assert ids(check_login()) == ["W022"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OIDC_USE_PKCE", False),
        ("OIDC_USE_NONCE", False),
        ("SESSION_COOKIE_SECURE", False),
        ("DRF_APIKIT", {"LOGIN": {"ISSUER": ISSUER, "INSECURE_LOOPBACK_HTTP": True}}),
    ],
)
def test_what_is_meant_for_development(settings: Any, name: str, value: object) -> None:
    setattr(settings, name, value)
    (found,) = check_deployed_login()
    assert ids([found]) == ["W024"]
    assert found.msg.endswith(", with a browser login.")


class Urls:
    """A URL configuration."""

    def __init__(self, *patterns: Any) -> None:
        self.urlpatterns = patterns


def test_the_urls_of_the_login(settings: Any) -> None:
    settings.ROOT_URLCONF = Urls(path("oidc/", include("drf_apikit.login.urls")))
    assert check_login_views() == []


def test_a_callback_of_the_project(settings: Any) -> None:
    init = OIDCAuthenticationCallbackView
    settings.ROOT_URLCONF = Urls(
        path("a/", include("drf_apikit.login.urls")),
        path("b/", OwnCallback.as_view(), name="oidc_authentication_callback"),
    )
    assert check_login_views() == []
    settings.ROOT_URLCONF = Urls(
        path("a/", init.as_view(), name="oidc_authentication_init"),
        path("b/", init.as_view(), name="oidc_authentication_callback"),
    )
    assert ids(check_login_views()) == ["E018"]


def test_urls_of_somebody_else(settings: Any) -> None:
    settings.ROOT_URLCONF = Urls(path("oidc/", include("mozilla_django_oidc.urls")))
    found = check_login_views()
    assert ids(found) == ["E018", "E018"]
    assert found[0].msg == (
        "The URL 'oidc_authentication_init' is"
        " mozilla_django_oidc.views.OIDCAuthenticationRequestView, and the login needs"
        " OIDCAuthenticationRequestView of drf_apikit.login.views."
    )


def test_urls_that_are_not_there(settings: Any) -> None:
    settings.ROOT_URLCONF = Urls(
        path("page", page, name="oidc_authentication_init"),
    )
    found = check_login_views()
    assert ids(found) == ["E018", "E018"]
    assert f"is {__name__}.page, and" in found[0].msg
    assert "is not there, and" in found[1].msg
    settings.ROOT_URLCONF = ""
    assert check_login_views() == []


@pytest.mark.django_db
def test_the_checks_are_registered(settings: Any) -> None:
    register()
    settings.ROOT_URLCONF = Urls()
    settings.SESSION_COOKIE_SECURE = False
    settings.SESSION_COOKIE_SAMESITE = "Strict"
    usual = set(ids(run_checks()))
    assert {"E018", "E020"} <= usual
    assert "W024" not in usual
    assert "W024" in ids(run_checks(include_deployment_checks=True))
