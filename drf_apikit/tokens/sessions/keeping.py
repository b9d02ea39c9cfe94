"""The session that asks for another password goes on with it."""

import uuid
from typing import Any

from drf_apikit.tokens.bearers import first_party_claims
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions.ending import LIVE
from drf_apikit.tokens.sessions.people import auth_digest
from drf_apikit.tokens.sessions.transactions import home

__all__ = ["keep_session"]


def keep_session(request_or_session_id: Any, user: Any) -> bool:
    """Let one session of a user outlive the change of the password; tell if it does.

    As `update_session_auth_hash` of Django: call it when the new password is saved,
    with the request that has asked for it or with the id of a session. All others end
    at their next refresh. It joins a transaction that has begun outside.
    """
    given = request_or_session_id
    if not isinstance(given, str | uuid.UUID):
        claims = first_party_claims(getattr(given, "auth", None))
        given = None if claims is None else claims.get("sid")
    if given is None:
        return False
    rows = TokenSession.objects.using(home()).filter(LIVE, pk=given, user_id=user.pk)
    return bool(rows.update(auth_hash=auth_digest(user)))
