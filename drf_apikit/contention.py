"""Database errors that say: another transaction was in the way."""

from typing import Any, Final

from django.db import DatabaseError, InterfaceError, InternalError, OperationalError

__all__ = ["is_contention", "is_outage", "is_outdated"]

#: A snapshot, or locks in another order: a transaction that begins now can go on.
#: PostgreSQL: serialization failure, deadlock. SQLite: busy, for its snapshot.
#: MySQL: changed since the snapshot, deadlock.
_OUTDATED: Final = frozenset({"40001", "40P01", "SQLITE_BUSY_SNAPSHOT", 1020, 1213})
#: PostgreSQL: lock not available. SQLite: busy, and why. MySQL: lock wait timeout,
#: no waiting.
_CONTENTION: Final = _OUTDATED | {
    *("55P03", "SQLITE_BUSY", "SQLITE_BUSY_RECOVERY"),
    *("SQLITE_LOCKED", "SQLITE_LOCKED_SHAREDCACHE", 1205, 3572),
}
#: What both call an operational error, and is a mistake in a statement or a schema:
#: SQLite's general error, MySQL's unknown column and missing default.
_MISTAKES: Final = frozenset({"SQLITE_ERROR", 1054, 1364})
#: PostgreSQL: a transaction that may only read, as on a server that has become a
#: standby.
_READ_ONLY: Final = "25006"
#: What psycopg, psycopg 2 and sqlite3 call the code of an error.
_NAMES: Final = ("sqlstate", "pgcode", "sqlite_errorname")


def is_contention(error: BaseException) -> bool:
    """Tell a lock or snapshot held by another transaction from a real fault."""
    return isinstance(error, OperationalError) and _code(error) in _CONTENTION


def is_outdated(error: BaseException) -> bool:
    """Tell contention that is over for a transaction that begins now."""
    return isinstance(error, OperationalError) and _code(error) in _OUTDATED


def is_outage(error: BaseException) -> bool:
    """Tell a database that cannot be asked, or does not answer, from a mistake."""
    if isinstance(error, InternalError):
        return bool(_code(error) == _READ_ONLY)
    if isinstance(error, InterfaceError):
        return True
    known = _CONTENTION | _MISTAKES
    return isinstance(error, OperationalError) and _code(error) not in known


def _code(error: DatabaseError) -> Any:
    cause = error.__cause__
    codes = [code for name in _NAMES if (code := getattr(cause, name, None))]
    return next(iter([*codes, *error.args]), None)
