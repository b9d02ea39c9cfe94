"""What becomes of somebody who comes with a token of a session."""

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, Final

from drf_apikit.conf import apikit_settings
from drf_apikit.counters import count
from drf_apikit.database_clock import DatabaseNow
from drf_apikit.tokens.clients import client_of_session
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions.ending import end_as_read
from drf_apikit.tokens.sessions.epoch import DatabaseEpoch
from drf_apikit.tokens.sessions.people import auth_digests, is_hidden, may_log_in
from drf_apikit.tokens.sessions.refusals import Ending, RefreshRefusedError, Refusal
from drf_apikit.tokens.sessions.texts import RefreshText
from drf_apikit.tokens.sessions.transactions import home

__all__ = [
    "TRIES",
    "Read",
    "Standing",
    "judged",
    "read",
    "refuse",
    "refused",
    "standing",
    "user_with_same_password",
    "within_grace",
]

logger = logging.getLogger("drf_apikit.tokens")

#: How often a row is read that others keep changing.
TRIES: Final = 10
#: Seconds by which clocks of database hosts, one of which takes over, may differ.
_SKEW: Final = 5
#: How often a session may have changed before it ends all the same.
_CHANGES: Final = 3
#: The refusals that a session does not outlive.
_ENDINGS: Final = {
    Refusal.REUSED: Ending.REUSE,
    Refusal.PASSWORD: Ending.PASSWORD,
    Refusal.INACTIVE: Ending.INACTIVE,
}


class Standing(Enum):
    """What a token is to its session."""

    #: The one that is good.
    CURRENT = auto()
    #: The one before, which was used just now.
    RECENT = auto()
    #: One that was used longer ago.
    STALE = auto()


@dataclass(frozen=True, slots=True)
class Read:
    """A session with its user, as it was at a time of the database's clock."""

    session: TokenSession
    at: datetime
    #: The same in seconds since 1970.
    epoch: float
    alias: str


def read(alias: str, **which: Any) -> Read | None:
    """Read a session; outside of any transaction, as it is now."""
    rows = TokenSession.objects.using(alias).select_related("user")
    rows = rows.annotate(read_at=DatabaseNow(), read_epoch=DatabaseEpoch())
    session = rows.filter(**which).first()
    if session is None:
        return None
    own = vars(session)
    return Read(session, own.pop("read_at"), own.pop("read_epoch"), alias)


def standing(found: Read, given: RefreshText) -> Standing | None:
    """Tell what a token is to a session; None for one that somebody has made up."""
    session = found.session
    if given.digest == session.token_digest:
        return Standing.CURRENT
    if given.digest == session.previous_digest and within_grace(
        session.refreshed_epoch, found.epoch
    ):
        return Standing.RECENT
    is_known = given.is_ours or given.digest == session.previous_digest
    return Standing.STALE if is_known else None


def within_grace(first: float, at: float) -> bool:
    """Tell whether somebody comes soon enough after the first one to do no harm."""
    return -_SKEW <= at - first <= apikit_settings.tokens.reuse_grace


def judged(found: Read, place: Standing) -> Refusal | None:
    """Tell why a token is refused; None for one that is not."""
    session = found.session
    if session.ended_at is not None:
        return Refusal.ENDED
    if session.expires_at <= found.at:
        return Refusal.EXPIRED
    if place is Standing.STALE:
        return Refusal.REUSED
    refusal = _of_login(found)
    return Refusal.USED if refusal is None and place is Standing.RECENT else refusal


def _of_login(found: Read) -> Refusal | None:
    """Tell why nobody may go on with a session, whatever the token."""
    session, user = found.session, found.session.user
    if is_hidden(user, found.alias) or not may_log_in(user):
        return Refusal.INACTIVE
    if session.auth_hash not in auth_digests(user):
        return Refusal.PASSWORD
    if client_of_session(session.client_id) is None:
        return Refusal.CLIENT
    return None


def user_with_same_password(session_id: str | None) -> Any:
    """Give the user of a session; None if the password is not that of the login."""
    found = None if session_id is None else read(home(), pk=session_id)
    if found is None:
        return None
    user = found.session.user
    return user if found.session.auth_hash in auth_digests(user) else None


def refuse(found: Read, refusal: Refusal, changes: int) -> None:
    """Refuse a token, and end its session for good where that has to be.

    Returns where the session has changed since it was read: judge it again. It has
    done so as often as `changes` says: who refreshes without a pause does not keep a
    session alive that way, since what is stale never becomes good.

    Raises:
        RefreshRefusedError: otherwise.

    """
    ending = _ENDINGS.get(refusal)
    at_once = ending is Ending.REUSE and changes >= _CHANGES
    if ending is None or end_as_read(
        found.session, ending, found.alias, even_if_changed=at_once
    ):
        raise refused(refusal, found.session)


def refused(
    refusal: Refusal, session: TokenSession | None = None
) -> RefreshRefusedError:
    """Count a refusal, and give what is raised."""
    if session is not None:
        logger.info(
            "Refused a refresh token of the session %s: %s", session.pk, refusal
        )
    count("tokens.refresh_refused", reason=refusal.value)
    return RefreshRefusedError(refusal, session)
