"""What keeps people from logging in, and what lets somebody else in."""

from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, resolve, reverse
from django.utils.module_loading import import_string
from mozilla_django_oidc.auth import OIDCAuthenticationBackend as UnverifyingBackend

from drf_apikit.checks.classes import loaded
from drf_apikit.conf import apikit_settings
from drf_apikit.login.backend import OIDCAuthenticationBackend
from drf_apikit.login.middleware import SessionRefresh
from drf_apikit.login.registration import faults
from drf_apikit.login.views import (
    OIDCAuthenticationCallbackView,
    OIDCAuthenticationRequestView,
)

__all__ = ["check_deployed_login", "check_login", "check_login_views", "is_wanted"]

_BACKENDS: Final = "AUTHENTICATION_BACKENDS"
_LOGIN: Final = "DRF_APIKIT['LOGIN']"
_BACKEND: Final = "drf_apikit.login.OIDCAuthenticationBackend"
_REFRESH: Final = "drf_apikit.login.SessionRefresh"
_AUTHENTICATION: Final = "django.contrib.auth.middleware.AuthenticationMiddleware"
_VIEWS: Final = (
    ("oidc_authentication_init", OIDCAuthenticationRequestView),
    ("oidc_authentication_callback", OIDCAuthenticationCallbackView),
)
_COOKIES: Final = "django.contrib.sessions.backends.signed_cookies"


def check_login(**_: Any) -> list[checks.CheckMessage]:
    """Look at the settings of the login, as soon as somebody can log in.

    `E016` what it could not, or should not, work with; `E017` a backend that verifies
    no issuer and no audience; `E019` the middleware stands in the wrong place; `E020`
    cookies that no provider's redirect has; `W022` sessions in cookies; `W023` sessions
    that outlive those of the provider.
    """
    if not is_wanted():
        return []
    return [
        *_registration(),
        *_backends(),
        *_middleware(),
        *_sessions(),
    ]


def check_login_views(**_: Any) -> list[checks.CheckMessage]:
    """See that the views that a login goes through are ours (`E018`)."""
    if not getattr(settings, "ROOT_URLCONF", None) or not is_wanted():
        return []
    return [
        checks.Error(
            f"The URL {name!r} is {_shown(found)}, and the login needs"
            f" {wanted.__name__} of drf_apikit.login.views.",
            hint="Include drf_apikit.login.urls. A class of your own is named by"
            " OIDC_AUTHENTICATE_CLASS or OIDC_CALLBACK_CLASS, and subclasses ours.",
            id="drf_apikit.E018",
        )
        for name, wanted in _VIEWS
        if not _is_a(found := _routed(name), wanted)
    ]


def check_deployed_login(**_: Any) -> list[checks.CheckMessage]:
    """Look at what is meant for development (`W024`)."""
    if not is_wanted():
        return []
    found = []
    if apikit_settings.login.insecure_loopback_http:
        where = f"{_LOGIN}['INSECURE_LOOPBACK_HTTP'] is True"
        hint = "Leave it out, and reach the provider over https."
        found.append((where, hint))
    for name in ("OIDC_USE_PKCE", "OIDC_USE_NONCE"):
        if not getattr(settings, name, True):
            hint = "Leave it out: it is on by default (RFC 9700 section 2.1.1)."
            found.append((f"{name} is False", hint))
    if not settings.SESSION_COOKIE_SECURE:
        hint = "Set it to True: the session is that of a person at the provider."
        found.append(("SESSION_COOKIE_SECURE is False", hint))
    return [
        checks.Warning(
            f"{where}, with a browser login.", hint=hint, id="drf_apikit.W024"
        )
        for where, hint in found
    ]


def is_wanted() -> bool:
    """Tell whether this project lets people log in; of faulty settings others tell."""
    if apikit_settings.faults():
        return False
    named = any(_is_a(cls, OIDCAuthenticationBackend) for _, cls in _listed())
    return named or apikit_settings.login.issuer is not None


def _registration() -> Iterator[checks.CheckMessage]:
    for name, wrong, remedy in faults():
        yield checks.Error(f"{name} {wrong}.", hint=remedy, id="drf_apikit.E016")


def _backends() -> Iterator[checks.CheckMessage]:
    refused = list(_refused())
    if refused:
        yield from refused
        return
    listed = list(_listed())
    for path, cls in listed:
        unsafe = _is_a(cls, UnverifyingBackend)
        if unsafe and not _is_a(cls, OIDCAuthenticationBackend):
            yield checks.Error(
                f"{_BACKENDS} has {path}, which accepts ID tokens of any issuer and"
                " for any client.",
                hint=f"Put {_BACKEND} in its place; a class of your own subclasses it.",
                id="drf_apikit.E017",
            )
    if not any(_is_a(cls, UnverifyingBackend) for _, cls in listed):
        yield checks.Error(
            f"{_LOGIN}['ISSUER'] is set, and {_BACKENDS} has no backend for it.",
            hint=f"Add {_BACKEND!r}.",
            id="drf_apikit.E017",
        )


def _middleware() -> Iterator[checks.CheckMessage]:
    names = list(settings.MIDDLEWARE)
    places = [
        place for place, name in enumerate(names) if _is_a(loaded(name), SessionRefresh)
    ]
    if not places:
        yield checks.Warning(
            f"MIDDLEWARE has no {_REFRESH}: a session goes on when the provider has"
            " ended its own.",
            hint=f"Add it behind {_AUTHENTICATION}.",
            id="drf_apikit.W023",
        )
    elif _AUTHENTICATION in names[places[0] :]:
        yield checks.Error(
            f"MIDDLEWARE has {names[places[0]]} before {_AUTHENTICATION}: it does not"
            " know whose session it is.",
            hint="Put it behind.",
            id="drf_apikit.E019",
        )


def _sessions() -> Iterator[checks.CheckMessage]:
    if settings.SESSION_COOKIE_SAMESITE == "Strict":
        yield checks.Error(
            "SESSION_COOKIE_SAMESITE is 'Strict': the browser comes back from the"
            " provider without its session, so that no login succeeds.",
            hint="Set it to 'Lax'.",
            id="drf_apikit.E020",
        )
    if settings.SESSION_ENGINE == _COOKIES:
        yield checks.Warning(
            "SESSION_ENGINE keeps sessions in cookies: no refresh token is kept there,"
            " and who has copied the cookie stays logged in after a logout.",
            hint="Use django.contrib.sessions.backends.cached_db or another one on the"
            " server.",
            id="drf_apikit.W022",
        )


def _refused() -> Iterator[checks.CheckMessage]:
    """Find classes that were refused when they were made."""
    for path in settings.AUTHENTICATION_BACKENDS:
        try:
            import_string(path)
        except ImproperlyConfigured as error:
            yield checks.Error(
                f"{_BACKENDS} has {path}: {error}",
                hint=f"See what became of each hook of {_BACKEND}.",
                id="drf_apikit.E017",
            )
        except (AttributeError, ImportError):
            # Django tells.
            continue


def _listed() -> Iterator[tuple[str, Any]]:
    for path in settings.AUTHENTICATION_BACKENDS:
        yield path, loaded(path)


def _is_a(cls: Any, base: type) -> bool:
    return isinstance(cls, type) and issubclass(cls, base)


def _routed(name: str) -> Any:
    """Give the class of the view of that name, or what is there instead."""
    try:
        callback: Any = resolve(reverse(name)).func
    except NoReverseMatch:
        return None
    return getattr(callback, "view_class", callback)


def _shown(found: Any) -> str:
    if found is None:
        return "not there"
    return f"{found.__module__}.{found.__qualname__}"
