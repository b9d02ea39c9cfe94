"""Who may look at sessions, and end them."""

from typing import Any

from django.contrib.auth import get_user_model
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import ForcedAuthentication, Request

from drf_apikit.conf import apikit_settings
from drf_apikit.tokens.sessions import live_sessions
from drf_apikit.tokens.tokens import AccessToken

__all__ = ["IsFirstParty", "current_session"]


class IsFirstParty(BasePermission):
    """A person of this project, with a token of ours or in a browser.

    Somebody else's token must not end sessions: it was given out for other things. Nor
    may one whose own session is over, as of a phone that was stolen: it is good for a
    few minutes more elsewhere.
    """

    def has_permission(self, request: Request, _view: Any) -> bool:
        """Look at what the request was authenticated by."""
        if not isinstance(request.user, get_user_model()):
            return False
        if request.auth is not None:
            claims = _claims(request.auth)
            return claims is not None and _is_alive(request.user, claims.get("sid"))
        # Tests of projects put a user in by force.
        browser = (SessionAuthentication, ForcedAuthentication)
        return isinstance(request.successful_authenticator, browser)


def current_session(request: Request) -> str | None:
    """Give the session that asks; None for a browser, which has none of these."""
    claims = _claims(request.auth)
    return None if claims is None else claims.get("sid")


def _is_alive(user: Any, sid: str | None) -> bool:
    """Look for the session; a token that was made without one has none to lose."""
    return sid is None or live_sessions(user).filter(pk=sid).exists()


def _claims(auth: Any) -> Any:
    """Give the verified claims of a token of ours; None of anything else."""
    if isinstance(auth, AccessToken):
        return auth.payload
    # `request.auth` of JWTBearerAuthentication, which is another block.
    issuer, claims = getattr(auth, "issuer", None), getattr(auth, "claims", None)
    is_ours = issuer is not None and issuer == apikit_settings.tokens.issuer
    return claims if is_ours else None
