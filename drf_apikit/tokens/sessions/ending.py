"""How sessions end, and who is told."""

import logging
import uuid
from collections.abc import Callable
from typing import Any, Final

from django.db import connections, transaction
from django.db.models import Q, QuerySet

from drf_apikit.counters import count
from drf_apikit.database_clock import DatabaseNow
from drf_apikit.signals import refresh_token_reused, token_session_ended
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions.people import auth_digests
from drf_apikit.tokens.sessions.refusals import Ending
from drf_apikit.tokens.sessions.transactions import home, unless_outdated
from drf_apikit.users.retries import retry_on_contention

__all__ = ["LIVE", "end_all", "end_as_read", "end_session", "live_sessions"]

logger = logging.getLogger("drf_apikit.tokens")

#: Of sessions whose refresh token is good.
LIVE: Final = Q(ended_at=None, expires_at__gt=DatabaseNow())


def live_sessions(user: Any) -> QuerySet[TokenSession]:
    """Give the sessions that a user can go on with, the last one used first.

    Those that began with another password end when they are used.
    """
    rows = TokenSession.objects.using(home()).filter(LIVE, user_id=user.pk)
    return rows.filter(auth_hash__in=auth_digests(user)).order_by("-refreshed_at", "id")


def end_session(session_id: uuid.UUID, reason: Ending, user: Any = None) -> bool:
    """End a session, of that user if one is named; tell whether it was alive.

    It joins a transaction that has begun outside, and is taken back with it.
    """
    mine = Q() if user is None else Q(user_id=user.pk)
    return bool(_end(mine & Q(pk=session_id), reason, home()))


def end_all(
    user: Any,
    reason: Ending,
    keep: uuid.UUID | None = None,
    using: str | None = None,
) -> int:
    """End all sessions of a user, but for the one to keep; say how many those were.

    It joins a transaction that has begun outside, and is taken back with it.
    """
    others = Q() if keep is None else ~Q(pk=keep)
    return _end(others & Q(user_id=user.pk), reason, using or home())


def end_as_read(
    session: TokenSession, reason: Ending, alias: str, *, even_if_changed: bool = False
) -> bool:
    """End a session for good if nobody has changed it since it was read.

    `even_if_changed`: or if it is merely alive.
    """
    rows = TokenSession.objects.using(alias).filter(pk=session.pk, ended_at=None)
    if not even_if_changed:
        rows = rows.filter(token_digest=session.token_digest)
    if not unless_outdated(rows, **_ended(reason)):
        return False
    _tell(session, reason)
    return True


def _end(which: Q, reason: Ending, alias: str) -> int:
    rows = TokenSession.objects.using(alias).filter(which, LIVE)

    def write() -> list[TokenSession]:
        with transaction.atomic(using=alias):
            if not connections[alias].features.has_select_for_update:
                # A write that changes nothing: it waits for its turn, where SQLite
                # refuses who has read before another one wrote.
                rows.update(end_reason="")
            # Locked, rows are read as they are, and not as a snapshot has them.
            found = list(rows.select_for_update().order_by("pk"))
            keys = [session.pk for session in found]
            if keys:
                TokenSession.objects.using(alias).filter(pk__in=keys).update(
                    **_ended(reason)
                )
            for session in found:
                tell = _teller(session, reason)
                transaction.on_commit(tell, using=alias, robust=True)
        return found

    return len(retry_on_contention(write, alias))


def _ended(reason: Ending) -> dict[str, Any]:
    """Give the columns of a session that has ended: nothing of it is of use."""
    now = DatabaseNow()
    return {
        "ended_at": now,
        "expires_at": now,
        "end_reason": reason.value,
        "successor": "",
    }


def _teller(session: TokenSession, reason: Ending) -> Callable[[], None]:
    """Give what tells of it: a function, whose name Django logs where it fails."""

    def tell() -> None:
        _tell(session, reason)

    return tell


def _tell(session: TokenSession, reason: Ending) -> None:
    """Tell listeners, after the commit."""
    session.end_reason = reason.value
    if reason is Ending.REUSE:
        logger.warning(
            "A refresh token of the session %s came again: somebody has a copy, and"
            " the session of the user %s has ended",
            session.pk,
            session.user_id,
        )
        refresh_token_reused.send_robust(sender=TokenSession, session=session)
    count("tokens.session_ended", reason=reason.value)
    token_session_ended.send_robust(sender=TokenSession, session=session, reason=reason)
