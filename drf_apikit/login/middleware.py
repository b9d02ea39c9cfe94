"""Sessions last as long as the provider vouches for them.

In MIDDLEWARE after Django's session and authentication, as that of mozilla-django-oidc,
whose settings it keeps. With a refresh token it needs no redirect. It is synchronous:
under ASGI, Django runs it in a thread.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from re import Pattern
from typing import Any, Final

from django.conf import settings as django_settings
from django.contrib.auth import BACKEND_SESSION_KEY, get_user_model
from django.core.exceptions import ObjectDoesNotExist
from django.db import router
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import http_date
from django.utils.module_loading import import_string
from django.utils.translation import get_language
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.middleware import SessionRefresh as MozillaSessionRefresh

from drf_apikit.counters import count
from drf_apikit.exceptions import Problem
from drf_apikit.login.authorization import authorization_url
from drf_apikit.login.destinations import safe_url
from drf_apikit.login.endings import Ending, end_session, go_on_as_nobody
from drf_apikit.login.errors import LoginError
from drf_apikit.login.failures import keep_private, prefers_json, problem_response
from drf_apikit.login.renewal import renew
from drf_apikit.login.sessions import (
    Ticket,
    go_on,
    held_tokens,
    is_in_grace,
    ticket_of,
    update,
)
from drf_apikit.login.vault import KeptTokens
from drf_apikit.problem_types import SESSION_EXPIRED
from drf_apikit.signals import session_renewed

__all__ = ["SessionRefresh"]

#: Of the login, and of the browsable API, where it has ours.
_LEFT_ALONE: Final = (
    "oidc_authentication_callback",
    "oidc_authentication_init",
    "oidc_logout",
    "rest_framework:login",
    "rest_framework:logout",
)
#: Methods that a browser may be sent to the provider for, and comes back with as GET.
_ASKING: Final = frozenset({"GET", "HEAD"})
#: Those of which nothing is lost (RFC 9110 section 9.2.1).
_SAFE: Final = frozenset({"OPTIONS", "TRACE"})
#: On a request: it has moved the end of its session, and so that of the cookie.
_MOVED: Final = "_drf_apikit_session_moved"
#: What Django keeps on a user whose permissions were asked for, and on a request.
_PERMISSIONS: Final = ("_perm_cache", "_user_perm_cache", "_group_perm_cache")
_ASYNC_USER: Final = "_acached_user"


class SessionRefresh(MozillaSessionRefresh):
    """Renews sessions that are due, and ends those that cannot be.

    `OIDC_EXEMPT_URLS` names what is left alone. A session without a refresh token is
    renewed through the browser, by a redirect that asks nothing of the person.
    """

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        # mozilla's wants endpoints in the settings, which are discovered here.
        MiddlewareMixin.__init__(self, get_response)
        self.OIDC_EXEMPT_URLS = self.get_settings("OIDC_EXEMPT_URLS", None) or []
        self._exempt_urls: dict[tuple[object, ...], set[str]] = {}

    @property
    def exempt_urls(self) -> set[str]:
        """Name the paths that are left alone, those of the login among them.

        They are as this request has them: a language or a host may have its own.
        """
        key = (get_urlconf(), get_script_prefix(), get_language())
        if key not in self._exempt_urls:
            self._exempt_urls[key] = self._reversed()
        return self._exempt_urls[key]

    def is_refreshable_url(self, request: HttpRequest) -> bool:
        """Tell whether a request is one of a session that a provider vouches for."""
        path = request.path
        if request.session.session_key is None:
            # What reads a session varies by cookie.
            return False
        if path in self.exempt_urls:
            return False
        if any(pattern.match(path) for pattern in self.exempt_url_patterns):
            return False
        backend = str(request.session.get(BACKEND_SESSION_KEY))
        if backend not in django_settings.AUTHENTICATION_BACKENDS:
            return False
        is_oidc: bool = issubclass(import_string(backend), OIDCAuthenticationBackend)
        return is_oidc

    def process_request(self, request: HttpRequest) -> HttpResponseBase | None:
        """Let a request pass, maybe as nobody's, or have the browser ask."""
        if not self.is_refreshable_url(request):
            return None
        ticket, now = ticket_of(request.session), time.time()
        if ticket is None:
            # Of mozilla's own backend, before the project moved here.
            expires_at = request.session.get("oidc_id_token_expiration", 0)
            ticket = Ticket(renew_at=expires_at, expires_at=expires_at)
        if now < ticket.renew_at or not request.user.is_authenticated:
            return None
        if not getattr(request.user, "is_active", True):
            end_session(request, Ending.INACTIVE)
            return None
        held = held_tokens(request.session, ticket)
        if held is not None:
            ticket = replace(ticket, expires_at=held.expires_at)
            if now < held.renew_at:
                _update(request, held)
                return None
            if held.refresh_token is not None:
                _renewed(request, ticket, held)
                return None
        return self._asked_silently(request, ticket)

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Let the cookie of a renewed session live as long as the session does."""
        if getattr(request, _MOVED, False) and response.status_code < 500:
            _set_cookie(request, response)
        return response

    def _reversed(self) -> set[str]:
        """Find the paths; a name that there is none of here is no path to leave out."""
        callback = self.get_settings("OIDC_AUTHENTICATION_CALLBACK_URL", _LEFT_ALONE[0])
        # Those of a project may be lazy texts.
        exempt = {
            str(url) for url in self.OIDC_EXEMPT_URLS if not isinstance(url, Pattern)
        }
        paths = {url for url in exempt if url.startswith("/")}
        for name in {*_LEFT_ALONE, *exempt, callback} - paths:
            with suppress(NoReverseMatch):
                paths.add(reverse(name))
        return paths

    def _asked_silently(
        self, request: HttpRequest, ticket: Ticket
    ) -> HttpResponseBase | None:
        """Have the browser ask, if this is a request that it can come back to."""
        if time.time() < ticket.expires_at:
            return None
        if request.method not in _ASKING:
            if not is_in_grace(ticket.expires_at, time.time()):
                _leave_out(request)
            return None
        is_page = _is_page(request)
        referrer = safe_url(request, request.headers.get("Referer"))
        try:
            url = authorization_url(
                request,
                self.get_settings("OIDC_AUTH_REQUEST_EXTRA_PARAMS", None) or {},
                next_url=request.get_full_path() if is_page else referrer,
                silent=True,
            )
        except LoginError as error:
            if not go_on(request.session):
                end_session(request, Ending.UNAVAILABLE, error.detail)
            return None
        if is_page:
            return keep_private(HttpResponseRedirect(url))
        # Scripts cannot follow a redirect to where a person may have to do something.
        headers = {"refresh_url": url}
        problem = Problem(
            problem_type=SESSION_EXPIRED, headers=headers, refresh_url=url
        )
        return problem_response(request, problem)


def _renewed(request: HttpRequest, ticket: Ticket, held: KeptTokens) -> None:
    outcome = renew(request.session, ticket, held)
    if outcome.ending is not None:
        end_session(request, outcome.ending, outcome.detail)
    if outcome.tokens is None:
        return
    _update(request, outcome.tokens)
    # This request may have waited for another one that took something from the user.
    _read_user_anew(request)
    if outcome.asked:
        count("login.session_renewed")
        session_renewed.send_robust(
            sender=SessionRefresh,
            request=request,
            user=request.user,
            issuer=ticket.issuer,
        )


def _update(request: HttpRequest, tokens: KeptTokens) -> None:
    if update(request.session, tokens):
        setattr(request, _MOVED, True)


def _read_user_anew(request: HttpRequest) -> None:
    """Let a user be as a renewal has left them, in what others have put around them."""
    user: Any = request.user
    alias = router.db_for_write(get_user_model(), instance=user)
    with suppress(ObjectDoesNotExist):
        user.refresh_from_db(using=alias)
    for name in _PERMISSIONS:
        if hasattr(user, name):
            delattr(user, name)
    if hasattr(request, _ASYNC_USER):
        delattr(request, _ASYNC_USER)


def _leave_out(request: HttpRequest) -> None:
    """Take nothing from a session any more that is over."""
    if request.method in _SAFE:
        # No person has sent it, and one who comes may still be sent to the provider.
        go_on_as_nobody(request)
    else:
        end_session(request, Ending.EXPIRED)


def _set_cookie(request: HttpRequest, response: Any) -> None:
    """Set the cookie as Django does for a session that was changed."""
    session = request.session
    # Such a cookie has no end, or there is no session any more.
    if session.is_empty() or session.get_expire_at_browser_close():
        return
    max_age = session.get_expiry_age()
    response.set_cookie(
        django_settings.SESSION_COOKIE_NAME,
        session.session_key,
        max_age=max_age,
        expires=http_date(time.time() + max_age),
        domain=django_settings.SESSION_COOKIE_DOMAIN,
        path=django_settings.SESSION_COOKIE_PATH,
        secure=django_settings.SESSION_COOKIE_SECURE or None,
        httponly=django_settings.SESSION_COOKIE_HTTPONLY or None,
        samesite=django_settings.SESSION_COOKIE_SAMESITE,
    )


def _is_page(request: HttpRequest) -> bool:
    """Tell a person who goes somewhere from a script that fetches something."""
    if request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return False
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    return mode == "navigate" and not prefers_json(request)
