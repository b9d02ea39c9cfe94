"""How sessions begin: with a login, or with a token that simplejwt gave out."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_apikit.conf import apikit_settings
from drf_apikit.contention import is_outdated
from drf_apikit.database_clock import DatabaseNow
from drf_apikit.digests import feed
from drf_apikit.jose.compact import parse_compact
from drf_apikit.jose.errors import TokenError
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
    within_grace,
)
from drf_apikit.tokens.sessions.keepable import refuse_unkept
from drf_apikit.tokens.sessions.people import auth_digest, may_log_in
from drf_apikit.tokens.sessions.refusals import Refusal
from drf_apikit.tokens.sessions.rotation import repeated
from drf_apikit.tokens.sessions.transactions import home, own_transaction

__all__ = ["LegacyToken", "exchange_legacy", "open_session", "was_exchanged"]

_TIMES: Final = [
    *("created_at", "created_epoch", "refreshed_at", "refreshed_epoch"),
    *("expires_at", "ends_at"),
]
#: A token may be taken for a while after its `exp`, by clocks that differ.
_LEEWAY: Final = timedelta(days=1)

Opened = tuple[TokenSession, str]


@dataclass(frozen=True, slots=True)
class LegacyToken:
    """A refresh token of simplejwt, and its name."""

    text: str = field(repr=False)
    jti: str


@sensitive_variables()
def open_session(
    user: Any,
    *,
    client_id: str,
    scopes: Iterable[str],
    claims: Mapping[str, Any] | None = None,
    user_agent: str = "",
    using: str | None = None,
) -> Opened:
    """Begin a session; give it and its first refresh token.

    It joins a transaction that has begun outside, and is taken back with it.

    Raises:
        ValueError: the client's name, a scope or a claim is nothing that all databases
            can keep.

    """
    session = _session(user, client_id, scopes, claims, user_agent)
    return _saved(session, using or home())


@sensitive_variables()
def exchange_legacy(
    user: Any,
    legacy: LegacyToken,
    *,
    client_id: str,
    scopes: Iterable[str],
    claims: Mapping[str, Any] | None = None,
    user_agent: str = "",
    prepare: Callable[[TokenSession, str], None] | None = None,
) -> Opened:
    """Begin a session for a refresh token of simplejwt that was verified, once.

    Whoever comes again with it is treated as with any other token that was used.
    `prepare` is called with what will be given, before it is committed: where it
    fails, the token is as good as before. It may be called again, for another one.

    Raises:
        RefreshRefusedError: it was exchanged before, or its user may not log in.
        TransactionManagementError: there is a transaction already.

    """
    alias = home()
    if not may_log_in(user):
        raise refused(Refusal.INACTIVE)
    session = _session(user, client_id, scopes, claims, user_agent)
    session.origin = _origin(legacy.jti)
    session.origin_expires_at = _expiry(legacy.text)
    for changes in range(TRIES):
        try:
            with own_transaction(alias):
                return _prepared(_saved(session, alias, legacy.text), prepare)
        except IntegrityError:
            found = read(alias, origin=session.origin)
            if found is None:
                # It was something else, as that the user is no more.
                raise
            again = _again(found, legacy.text, changes)
        except OperationalError as error:
            if not is_outdated(error):
                raise
            continue
        if again is not None:
            return _prepared(again, prepare)
    raise refused(Refusal.USED)


def was_exchanged(jti: str) -> bool:
    """Tell whether a token of that name has become a session before."""
    return TokenSession.objects.using(home()).filter(origin=_origin(jti)).exists()


@sensitive_variables()
def _again(found: Read, legacy_text: str, changes: int) -> Opened | None:
    """Answer who is not the first; None if the session has changed meanwhile."""
    is_soon = within_grace(found.session.created_epoch, found.epoch)
    refusal = judged(found, Standing.RECENT if is_soon else Standing.STALE)
    again = None
    if refusal is Refusal.USED:
        again = repeated(found.session, legacy_text)
    if again is None:
        refuse(found, refusal or Refusal.USED, changes)
        return None
    return again.session, again.refresh_token


def _prepared(
    opened: Opened, prepare: Callable[[TokenSession, str], None] | None
) -> Opened:
    if prepare is not None:
        prepare(*opened)
    return opened


def _session(
    user: Any,
    client_id: str,
    scopes: Iterable[str],
    claims: Mapping[str, Any] | None,
    user_agent: str,
) -> TokenSession:
    scope = " ".join(sorted(set(scopes)))
    refuse_unkept(client_id, scope, claims)
    session = TokenSession(
        # By its key: a router may have read the user elsewhere.
        user_id=user.pk,
        client_id=client_id,
        scopes=scope,
        claims=dict(claims or {}),
        auth_hash=auth_digest(user),
        user_agent=_printable(user_agent),
    )
    TokenSession._meta.get_field("user").set_cached_value(session, user)
    return session


@sensitive_variables()
def _saved(session: TokenSession, alias: str, predecessor: str | None = None) -> Opened:
    text, lives = texts.new_text(session.pk), lifetimes(session.client_id)
    session.token_digest = texts.digest_of(text)
    if predecessor is not None and apikit_settings.tokens.repeat_successor:
        session.successor = texts.seal(text, predecessor)
    session.created_at = session.refreshed_at = DatabaseNow()
    session.created_epoch = session.refreshed_epoch = DatabaseEpoch()
    session.expires_at = DatabaseNow(lives.refresh)
    session.ends_at = DatabaseNow(lives.session)
    with transaction.atomic(using=alias):
        session.save(force_insert=True, using=alias)
        session.refresh_from_db(using=alias, fields=_TIMES)
    return session, text


def _printable(text: str) -> str:
    """Leave out what not all databases take, as NUL."""
    longest = TokenSession._meta.get_field("user_agent").max_length
    return "".join(filter(str.isprintable, text))[:longest]


def _origin(jti: str) -> str:
    sha256 = hashlib.sha256()
    feed(sha256, ["simplejwt", jti])
    return sha256.hexdigest()


@sensitive_variables()
def _expiry(legacy_text: str) -> datetime | None:
    """Read until when a verified token may come again; None: as long as may be."""
    try:
        seconds = parse_compact(legacy_text).payload["exp"]
        expiry = datetime.fromtimestamp(seconds, UTC) + _LEEWAY
    except (TokenError, KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
    return expiry if settings.USE_TZ else timezone.make_naive(expiry)
