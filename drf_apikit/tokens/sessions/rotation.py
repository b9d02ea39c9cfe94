"""A refresh token is used once: of any number of requests with it, one wins."""

from dataclasses import dataclass, field
from datetime import timedelta

from django.views.decorators.debug import sensitive_variables

from drf_apikit.conf import apikit_settings
from drf_apikit.database_clock import DatabaseNow
from drf_apikit.tokens.lifetimes import lifetimes
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import texts
from drf_apikit.tokens.sessions.epoch import DatabaseEpoch
from drf_apikit.tokens.sessions.judgement import (
    TRIES,
    Read,
    Standing,
    judged,
    read,
    refuse,
    refused,
    standing,
)
from drf_apikit.tokens.sessions.people import auth_digest
from drf_apikit.tokens.sessions.refusals import RefreshRefusedError, Refusal
from drf_apikit.tokens.sessions.transactions import home, unless_outdated

__all__ = ["Rotated", "find_session", "repeated", "rotate"]


@dataclass(frozen=True, slots=True)
class Rotated:
    """A session that goes on, and the refresh token that is good from now on.

    `is_repeated`: it was given out before, to whoever came first.
    """

    session: TokenSession
    refresh_token: str = field(repr=False)
    is_repeated: bool = False


@sensitive_variables()
def rotate(text: str) -> Rotated:
    """Use a refresh token: give its successor, in a transaction of its own.

    One statement takes the row as it was read to its successor, so that exactly one
    request has done it, on any database and at any isolation level. A session that
    has to end is ended for good, whatever becomes of the request.

    Raises:
        RefreshRefusedError: it is no good.
        TransactionManagementError: there is a transaction already.

    """
    alias, was_current = home(), False
    given = texts.read_text(text)
    if given is None:
        raise refused(Refusal.UNKNOWN)
    for changes in range(TRIES):
        found = read(alias, pk=given.session_id)
        place = None if found is None else standing(found, given)
        if found is None or place is None:
            raise refused(Refusal.UNKNOWN)
        if was_current and place is Standing.STALE:
            # It came in time: others were quicker while this one waited for them.
            place = Standing.RECENT
        was_current = was_current or place is Standing.CURRENT
        done = _done(found, place, text, changes)
        if done is not None:
            return done
    raise refused(Refusal.USED)


@sensitive_variables()
def find_session(text: str) -> TokenSession:
    """Give the session of a refresh token that is good, and do nothing to it.

    Raises:
        RefreshRefusedError: it is no good.

    """
    given = texts.read_text(text)
    found = read(home(), pk=given.session_id) if given else None
    place = standing(found, given) if found and given else None
    if found is None or place is None:
        raise RefreshRefusedError(Refusal.UNKNOWN)
    refusal = judged(found, place)
    if refusal is not None:
        raise RefreshRefusedError(refusal, found.session)
    return found.session


@sensitive_variables()
def repeated(session: TokenSession, predecessor: str) -> Rotated | None:
    """Give the good token of a session again, with `REPEAT_SUCCESSOR`, to its heir."""
    if not apikit_settings.tokens.repeat_successor:
        return None
    text = texts.unseal(session.successor, predecessor)
    return None if text is None else Rotated(session, text, is_repeated=True)


@sensitive_variables()
def _done(found: Read, place: Standing, text: str, changes: int) -> Rotated | None:
    """Do what is to be done; None if the row has changed since it was read."""
    refusal = judged(found, place)
    if refusal is None:
        return _taken_on(found, text)
    again = repeated(found.session, text) if refusal is Refusal.USED else None
    if again is None:
        refuse(found, refusal, changes)
    return again


@sensitive_variables()
def _taken_on(found: Read, text: str) -> Rotated | None:
    session = found.session
    successor, digest = texts.new_text(session.pk), session.token_digest
    as_read = {"token_digest": digest, "auth_hash": session.auth_hash}
    session.token_digest, session.previous_digest = texts.digest_of(successor), digest
    repeats = apikit_settings.tokens.repeat_successor
    session.successor = texts.seal(successor, text) if repeats else ""
    session.auth_hash = auth_digest(session.user)
    idle = timedelta(seconds=lifetimes(session.client_id).refresh)
    session.expires_at = min(found.at + idle, session.ends_at)
    session.refreshed_at, session.refreshed_epoch = found.at, found.epoch
    names = ("token_digest", "previous_digest", "successor", "auth_hash", "expires_at")
    rows = TokenSession.objects.using(found.alias).filter(
        pk=session.pk, ended_at=None, **as_read
    )
    values = {name: getattr(session, name) for name in names}
    # Whoever waits here for others must not look late to those who come next.
    now = {"refreshed_at": DatabaseNow(), "refreshed_epoch": DatabaseEpoch()}
    if not unless_outdated(rows, **now, **values):
        return None
    return Rotated(session, successor)
