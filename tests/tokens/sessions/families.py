"""Sessions for tests: their users, what comes of a token, and time that has passed."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import connection
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from django.db.models import F

from drf_apikit.signals import refresh_token_reused, token_session_ended
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import (
    RefreshRefusedError,
    find_session,
    open_session,
    rotate,
)

__all__ = [
    "STRICTER",
    "age",
    "begin",
    "came_to",
    "connected",
    "found",
    "listening",
    "made",
    "stored",
]

_TIMES: Final = ("created_at", "refreshed_at", "expires_at", "ends_at")
_EPOCHS: Final = ("created_epoch", "refreshed_epoch")

#: Ways to connect, beside those that are usual.
STRICTER: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "sqlite deferred": ("sqlite", {"transaction_mode": "DEFERRED"}),
    "postgresql repeatable read": (
        "postgresql",
        {"isolation_level": IsolationLevel.REPEATABLE_READ},
    ),
    "postgresql serializable": (
        "postgresql",
        {"isolation_level": IsolationLevel.SERIALIZABLE},
    ),
    "mariadb repeatable read": ("mariadb", {"isolation_level": "repeatable read"}),
    "mariadb serializable": ("mariadb", {"isolation_level": "serializable"}),
}


def made(name: str = "ada") -> User:
    """Make a user."""
    return User.objects.create_user(name, password="correct horse")


def begin(user: User | None = None, **given: Any) -> tuple[TokenSession, str]:
    """Open a session, of a user that is made if none is given."""
    given = {"client_id": "first-party", "scopes": ["read"], **given}
    return open_session(user or made(), **given)


def came_to(text: str) -> str:
    """Use a token, and tell what came of it."""
    try:
        return "repeated" if rotate(text).is_repeated else "rotated"
    except RefreshRefusedError as error:
        return error.refusal.value


def found(text: str) -> str:
    """Look for the session of a token, and tell what came of it."""
    try:
        return str(find_session(text).pk)
    except RefreshRefusedError as error:
        return error.refusal.value


def stored(session: TokenSession) -> TokenSession:
    """Read a session again."""
    return TokenSession.objects.get(pk=session.pk)


def age(session: TokenSession, seconds: float) -> None:
    """Let time pass for a session."""
    past = timedelta(seconds=seconds)
    changed = {name: F(name) - past for name in _TIMES}
    counted = {name: F(name) - seconds for name in _EPOCHS}
    TokenSession.objects.filter(pk=session.pk).update(**changed, **counted)


@contextmanager
def listening() -> Iterator[list[tuple[str, uuid.UUID, str]]]:
    """Give what listeners are told: the signal, the session, and the reason."""
    told: list[tuple[str, uuid.UUID, str]] = []

    def reused(*, session: TokenSession, **_: Any) -> None:
        told.append(("reused", session.pk, session.end_reason))

    def ended(*, session: TokenSession, reason: str, **_: Any) -> None:
        assert not connection.in_atomic_block
        assert session.end_reason == reason
        told.append(("ended", session.pk, str(reason)))

    refresh_token_reused.connect(reused)
    token_session_ended.connect(ended)
    try:
        yield told
    finally:
        refresh_token_reused.disconnect(reused)
        token_session_ended.disconnect(ended)


@contextmanager
def connected(**options: Any) -> Iterator[None]:
    """Have all connections with these options."""
    usual = connection.settings_dict["OPTIONS"]
    connection.settings_dict["OPTIONS"] = {**usual, **options}
    connection.close()
    try:
        yield
    finally:
        connection.settings_dict["OPTIONS"] = usual
        connection.close()
