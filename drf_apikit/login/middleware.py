"""Sessions last as long as the provider vouches for them.

In MIDDLEWARE after Django's session and authentication, as that of mozilla-django-oidc,
whose settings it keeps. With a refresh token it needs no redirect. It is synchronous:
under ASGI, Django runs it in a thread.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from django.conf import settings as django_settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import cached_property
from django.utils.module_loading import import_string
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.middleware import SessionRefresh as MozillaSessionRefresh

from drf_apikit.counters import count
from drf_apikit.exceptions import Problem
from drf_apikit.login.authorization import authorization_url
from drf_apikit.login.destinations import safe_url
from drf_apikit.login.endings import Ending, end_session
from drf_apikit.login.errors import LoginError
from drf_apikit.login.failures import keep_private, prefers_json, problem_response
from drf_apikit.login.renewal import renew
from drf_apikit.login.sessions import Ticket, go_on, is_in_grace, ticket_of, update
from drf_apikit.login.vault import KeptTokens, kept
from drf_apikit.problem_types import SESSION_EXPIRED
from drf_apikit.signals import session_renewed

__all__ = ["SessionRefresh"]

#: Of the browsable API, where it has our login.
_LEFT_ALONE: Final = ("rest_framework:login", "rest_framework:logout")


class SessionRefresh(MozillaSessionRefresh):
    """Renews sessions that are due, and ends those that cannot be.

    `OIDC_EXEMPT_URLS` names what is left alone. A session without a refresh token is
    renewed through the browser, by a redirect that asks nothing of the person.
    """

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        # mozilla's wants endpoints in the settings, which are discovered here.
        MiddlewareMixin.__init__(self, get_response)
        self.OIDC_EXEMPT_URLS = self.get_settings("OIDC_EXEMPT_URLS", [])

    @cached_property
    def exempt_urls(self) -> set[str]:
        """Name the paths that are left alone, those of the login among them."""
        paths = set(super().exempt_urls)
        for name in _LEFT_ALONE:
            with suppress(NoReverseMatch):
                paths.add(reverse(name))
        return paths

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
        held = kept(request.session, ticket.vault)
        if held is not None:
            ticket = replace(ticket, expires_at=held.expires_at)
            if now < held.renew_at:
                update(request.session, held)
                return None
            if held.refresh_token is not None:
                _renewed(request, ticket, held)
                return None
        return self._asked_silently(request, ticket)

    def _asked_silently(
        self, request: HttpRequest, ticket: Ticket
    ) -> HttpResponseBase | None:
        """Have the browser ask, if this is a request that it can come back to."""
        if time.time() < ticket.expires_at:
            return None
        if request.method != "GET":
            if not is_in_grace(ticket.expires_at, time.time()):
                end_session(request, Ending.EXPIRED)
            return None
        is_page = _is_page(request)
        referrer = safe_url(request, request.headers.get("Referer"))
        try:
            url = authorization_url(
                request,
                self.get_settings("OIDC_AUTH_REQUEST_EXTRA_PARAMS", {}),
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
    update(request.session, outcome.tokens)
    if outcome.asked:
        count("login.session_renewed")
        session_renewed.send_robust(
            sender=SessionRefresh,
            request=request,
            user=request.user,
            issuer=ticket.issuer,
        )


def _is_page(request: HttpRequest) -> bool:
    """Tell a person who goes somewhere from a script that fetches something."""
    if request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return False
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    return mode == "navigate" and not prefers_json(request)
