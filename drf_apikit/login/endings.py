"""The end of a session that the provider does not vouch for any more."""

import logging
from enum import StrEnum
from functools import partial
from typing import Any, Final

from django.contrib import auth
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from drf_apikit.conf import apikit_settings
from drf_apikit.counters import count
from drf_apikit.login.attempts import open_attempts, reopen
from drf_apikit.signals import session_ended

__all__ = ["Ending", "end_session", "go_on_as_nobody"]

logger = logging.getLogger("drf_apikit.login")

#: What async views ask for who it is.
_ASYNC: Final = "auser"


class Ending(StrEnum):
    """Why a session was ended; the values are stable, for metrics."""

    #: The provider does not take the refresh token any more: a logout there, maybe.
    REFUSED = "refused"
    #: What it gives for the refresh token is not good.
    INVALID = "invalid"
    #: It vouches for somebody else.
    ANOTHER_USER = "another_user"
    #: The user may not be here any more.
    INACTIVE = "inactive"
    #: The person has to log in at the provider first.
    INTERACTION_REQUIRED = "interaction_required"
    #: The provider could not be asked for longer than `SESSION_GRACE`.
    UNAVAILABLE = "unavailable"
    #: There was no way to ask: no refresh token, and no page to send to the provider.
    EXPIRED = "expired"


def end_session(request: HttpRequest, reason: Ending, detail: str = "") -> None:
    """Log out; the request goes on as nobody's, and other tabs may still come back."""
    user, attempts = request.user, open_attempts(request.session)
    logger.info("A session has ended: %s (%s)", reason.value, detail)
    count("login.session_ended", reason=reason.value)
    issuer = apikit_settings.login.issuer
    auth.logout(request)
    reopen(request.session, attempts)
    # Django 5.2 leaves async views with whom they have asked for before.
    go_on_as_nobody(request)
    session_ended.send_robust(
        sender=Ending, request=request, user=user, issuer=issuer, reason=reason
    )


def go_on_as_nobody(request: HttpRequest) -> None:
    """Let a request go on as nobody's, whatever its session says."""
    request.user = AnonymousUser()
    setattr(request, _ASYNC, partial(_user_of, request))


async def _user_of(request: HttpRequest) -> Any:
    return request.user
