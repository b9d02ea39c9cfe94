"""How much work the database does for a call: counted, not timed.

A count is the same on every machine and in every run, so a test can say that the
last page costs what the second one does. Compare counts of one database only:
each counts something else.
"""

import sys
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import length_hint
from typing import Any, Final, TypeVar

from django.db import connection, transaction

__all__ = ["count_work"]

EXPLAIN: Final = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) "
MARIADB_COUNTS: Final = "SHOW SESSION STATUS LIKE 'Handler_%'"

T = TypeVar("T")


def count_work(call: Callable[[], T]) -> tuple[int, T]:
    """Give how much work the default database did for the call, and its result.

    - SQLite: the steps of its virtual machine. A call that takes the progress
      handler for itself, as a time limit does, is refused: RuntimeError.
    - PostgreSQL: the blocks that the call's SELECTs read, be it from memory. They
      run once more after the call, to be looked at; planning is left out.
    - MariaDB: the rows and index entries that it read or passed over.
    """
    connection.ensure_connection()
    return COUNTERS[connection.vendor](call)


def _sqlite(call: Callable[[], T]) -> tuple[int, T]:
    # A counter in C, for Python code at every step would take its time: each step
    # takes one of the zeros, and zero says "go on".
    zeros = repeat(0, sys.maxsize)
    database = connection.connection
    database.set_progress_handler(zeros.__next__, 1)
    try:
        result = call()
        left = length_hint(zeros)
        database.execute("SELECT 1").fetchall()
    finally:
        database.set_progress_handler(None, 0)
    if length_hint(zeros) == left:
        raise RuntimeError("The call has taken the progress handler for itself.")
    return sys.maxsize - left, result


def _postgresql(call: Callable[[], T]) -> tuple[int, T]:
    selects: list[tuple[str, Sequence[Any] | None]] = []

    def note(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if sql.lstrip("( ").startswith("SELECT"):
            selects.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        result = call()
    return sum(_blocks(sql, params) for sql, params in selects), result


def _blocks(sql: str, params: Sequence[Any] | None) -> int:
    """Run it again, and give the blocks that its whole plan read."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(EXPLAIN + sql, params)
        plan = cursor.fetchone()[0][0]["Plan"]
        # A SELECT can change things too: locks, or settings of the transaction.
        transaction.set_rollback(True)
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def _mariadb(call: Callable[[], T]) -> tuple[int, T]:
    before = _reads()
    result = call()
    return _reads() - before, result


def _reads() -> int:
    """Add up what the session has read; looking at it does not count."""
    with connection.cursor() as cursor:
        cursor.execute(MARIADB_COUNTS)
        counts = {name: int(count) for name, count in cursor.fetchall()}
    reads = sum(counts[name] for name in counts if name.startswith("Handler_read_"))
    # What the storage engine passes over by itself is none of the reads.
    return reads + counts["Handler_icp_attempts"] - counts["Handler_icp_match"]


COUNTERS: Final[dict[str, Callable[[Callable[[], Any]], tuple[int, Any]]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mariadb,
}
