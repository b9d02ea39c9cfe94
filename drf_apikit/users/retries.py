"""Writing while others write the same."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from django.db import OperationalError, connections

from drf_apikit.contention import is_contention, is_outdated

__all__ = ["is_serialization_failure", "read_on_new_connection", "retry_on_contention"]

_TIMES: Final = 3

T = TypeVar("T")


def retry_on_contention(write: Callable[[], T], alias: str) -> T:
    """Make a transaction again that another one was in the way of.

    One that has begun outside is not ours to make again.
    """
    for _ in range(_TIMES - 1):
        try:
            return write()
        except OperationalError as error:
            if connections[alias].in_atomic_block or not is_contention(error):
                raise
    return write()


def read_on_new_connection(read: Callable[[], T], alias: str) -> T | None:
    """Read what this transaction, whose snapshot is older, cannot see.

    That takes a thread with a connection of its own. None where there is no
    transaction, and where writers never have an older snapshot (SQLite).
    """
    connection = connections[alias]
    if not connection.in_atomic_block or not connection.features.has_select_for_update:
        return None
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_closing, read).result()


def is_serialization_failure(error: BaseException, alias: str) -> bool:
    """Tell a row that was changed after the snapshot of a transaction that goes on.

    PostgreSQL, in a transaction that has begun outside: going back to a savepoint
    makes good what MariaDB takes back as a whole. SQLite says the same of any other
    writer.
    """
    connection = connections[alias]
    goes_on = connection.in_atomic_block and not connection.needs_rollback
    return goes_on and connection.features.has_select_for_update and is_outdated(error)


def _closing(read: Callable[[], T]) -> T:
    try:
        return read()
    finally:
        connections.close_all()
