"""Database errors that say: another transaction was in the way."""

from typing import Final

from django.db import OperationalError

__all__ = ["is_contention"]

#: PostgreSQL: serialization failure, deadlock, lock not available. SQLite: busy,
#: also with an old snapshot. MySQL: changed since the snapshot, lock wait timeout,
#: deadlock.
_CONTENTION: Final = frozenset(
    {"40001", "40P01", "55P03", "SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", 1020, 1205, 1213}
)


def is_contention(error: OperationalError) -> bool:
    """Tell a lock or snapshot held by another transaction from a real fault."""
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return (code or next(iter(error.args), None)) in _CONTENTION
