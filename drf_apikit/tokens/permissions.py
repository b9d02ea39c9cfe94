"""Who may look at sessions, and end them."""

from typing import Any

from django.contrib.auth import get_user_model
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import ForcedAuthentication, Request

from drf_apikit.exceptions import InvalidToken
from drf_apikit.tokens.bearers import first_party_claims
from drf_apikit.tokens.sessions import live_sessions

__all__ = ["IsFirstParty", "challenge_after_all", "current_session"]


class IsFirstParty(BasePermission):
    """A person of this project, with a token of ours or in a browser.

    Somebody else's token must not end sessions: it was given out for other things. Nor
    may one whose own session is over, as of a phone that was stolen: it is good for a
    few minutes more elsewhere. It is refused as one that has expired.
    """

    def has_permission(self, request: Request, _view: Any) -> bool:
        """Look at what the request was authenticated by.

        Raises:
            InvalidToken: the session of the token is over.

        """
        if not isinstance(request.user, get_user_model()):
            return False
        if request.auth is not None:
            claims = first_party_claims(request.auth)
            if claims is None:
                return False
            if not _is_alive(request.user, claims.get("sid")):
                challenge = challenge_after_all(request)
                raise InvalidToken(headers={"WWW-Authenticate": challenge})
            return True
        # Tests of projects put a user in by force.
        browser = (SessionAuthentication, ForcedAuthentication)
        return isinstance(request.successful_authenticator, browser)


def current_session(request: Request) -> str | None:
    """Give the session that asks; None for a browser, which has none of these."""
    claims = first_party_claims(request.auth)
    return None if claims is None else claims.get("sid")


def challenge_after_all(request: Request) -> str:
    """Write the challenge to who has come with a token that was taken (RFC 6750).

    Nothing, where it was none.
    """
    ask = getattr(request.successful_authenticator, "authenticate_header", None)
    header = (ask and ask(request)) or ""
    return f'{header}, error="invalid_token"' if header.startswith("Bearer ") else ""


def _is_alive(user: Any, sid: str | None) -> bool:
    """Look for the session; a token that was made without one has none to lose."""
    return sid is None or live_sessions(user).filter(pk=sid).exists()
