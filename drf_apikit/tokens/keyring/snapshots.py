"""What a transaction sees of the keys: not always what there is, and perhaps more."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.db import connections, transaction

from drf_apikit.tokens.keyring import rows
from drf_apikit.tokens.keyring.timeline import Key
from drf_apikit.users.retries import read_on_new_connection

__all__ = ["NO_COMMIT", "Reader", "at_commit", "can_commit", "has_changes"]

NO_COMMIT: Final = "Change the keys with AUTOCOMMIT, or within atomic()."


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    """Waits for the transaction that has changed the keys to be committed."""

    tell: Callable[[], None]

    def __call__(self) -> None:
        self.tell()


def at_commit(tell: Callable[[], None], alias: str) -> None:
    """Note that this transaction has changed the keys, and tell when that holds."""
    transaction.on_commit(_Change(tell), using=alias)


def has_changes(alias: str) -> bool:
    """Tell whether the transaction of this thread has changed the keys.

    Nobody else may use what may be taken back, as its savepoint may be, too.
    """
    waiting = connections[alias].run_on_commit
    return any(isinstance(each[1], _Change) for each in waiting)


def can_commit(alias: str) -> bool:
    """Tell whether somebody commits, or nobody has to."""
    connection = connections[alias]
    return connection.in_atomic_block or connection.get_autocommit()


class Reader:
    """Reads the keys that are committed, whatever snapshot a transaction has."""

    def __init__(self) -> None:
        self._seen: tuple[Key, ...] = ()

    def read(self) -> tuple[Key, ...]:
        """Read all keys; a transaction that has changed them sees what it has done."""
        alias = rows.alias()
        if has_changes(alias):
            return rows.read()
        keys = read_on_new_connection(rows.read, alias) or rows.read()
        if connections[alias].in_atomic_block and _is_older(keys, self._seen):
            return self._seen
        self._seen = keys
        return keys


def _is_older(keys: tuple[Key, ...], seen: tuple[Key, ...]) -> bool:
    """Tell what lacks a key that was seen, or the end of one."""
    ends = {key.sequence: key.is_ended for key in keys}
    if seen and max(ends, default=0) < seen[-1].sequence:
        return True
    return any(key.is_ended and not ends.get(key.sequence, True) for key in seen)
