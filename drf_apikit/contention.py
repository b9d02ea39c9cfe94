"""Database errors that say: another transaction was in the way."""

from typing import Final

from django.db import OperationalError

__all__ = ["is_contention"]

#: PostgreSQL: serialization failure, deadlock, lock not available. SQLite: busy, and
#: why. MySQL: changed since the snapshot, lock wait timeout, deadlock, no waiting.
_CONTENTION: Final = frozenset(
    {"40001", "40P01", "55P03"}
    | {"SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY"}
    | {"SQLITE_LOCKED", "SQLITE_LOCKED_SHAREDCACHE"}
    | {1020, 1205, 1213, 3572}
)
#: What psycopg, psycopg 2 and sqlite3 call the code of an error.
_NAMES: Final = ("sqlstate", "pgcode", "sqlite_errorname")


def is_contention(error: OperationalError) -> bool:
    """Tell a lock or snapshot held by another transaction from a real fault."""
    cause = error.__cause__
    codes = [code for name in _NAMES if (code := getattr(cause, name, None))]
    return next(iter([*codes, *error.args]), None) in _CONTENTION
