"""The claim: one statement at the head of the transaction that has the effects.

The row appears to others when that transaction commits, together with the
effects and the answer. So nothing has to be released or taken over after a
crash: the database has rolled it all back.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from django.db import (
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    connections,
    transaction,
)

from drf_apikit.contention import is_contention, is_outage, is_outdated
from drf_apikit.idempotency.claims import mysql, postgresql, sqlite
from drf_apikit.idempotency.claims.rows import (
    Claim,
    ContentionError,
    Kept,
    complete,
)

__all__ = [
    "Claim",
    "ContentionError",
    "Kept",
    "UnavailableError",
    "claimed",
    "store",
]

#: How often a claim is tried whose transaction began too early to see the row.
_TRIES: Final = 3
_TAKE: Final[Mapping[str, Callable[[Claim, Any], Kept | None]]] = {
    "postgresql": postgresql.take,
    "sqlite": sqlite.take,
    "mysql": mysql.take,
}


class UnavailableError(Exception):
    """The database cannot be asked."""


@contextmanager
def claimed(claim: Claim, alias: str) -> Iterator[Kept | None]:
    """Open a transaction and claim the scope with its first statement.

    Gives None where the caller may go on, and else what is kept of the first
    run. A claim that fails leaves through the transaction, so that it is rolled
    back and what surrounds it can go on.

    Within the transaction of ATOMIC_REQUESTS there is no savepoint: whatever
    rolls back the claim has to roll back the request, and DRF does so.

    Raises:
        ContentionError: another transaction has not finished, or has made the
            COMMIT of this one fail.
        UnavailableError: there is no database to ask.
        NotSupportedError: a database other than PostgreSQL, MySQL, MariaDB and
            SQLite.

    """
    connection = connections[alias]
    try:
        take = _TAKE[connection.vendor]
    except KeyError:
        raise NotSupportedError(f"no claim for {connection.display_name}") from None
    outermost = not connection.in_atomic_block
    savepoint = not connection.settings_dict["ATOMIC_REQUESTS"]
    tries, release = (_TRIES, mysql.release) if outermost else (1, _keep)
    committed: list[str] = []
    note = functools.partial(committed.append, alias)
    while True:
        tries -= 1
        entered = left = False
        committed.clear()
        try:
            with transaction.atomic(using=alias, savepoint=savepoint):
                transaction.on_commit(note, using=alias)
                kept = take(claim, connection)
                entered = True
                yield kept
                left = True
        except (OperationalError, InterfaceError, InternalError) as error:
            outdated = is_outdated(error)
            # A COMMIT that was refused has changed nothing; a hook that failed after
            # it is another matter.
            refused = left and outdated and not committed
            if entered and not refused:
                raise
            if left or not (tries and outdated):
                raise _told(error) from error
        else:
            return
        finally:
            release(connection)


def store(scope: str, columns: Mapping[str, Any], alias: str) -> None:
    """Put the answer beside the claim; committed with it.

    Raises:
        RuntimeError: the claim is gone, because the view has deleted it. With
            it goes the transaction: an effect without a record could be repeated.
        ContentionError: another transaction has made this one fail, as its COMMIT
            would have done.

    """
    try:
        found = complete(scope, columns, connections[alias])
    except OperationalError as error:
        if is_outdated(error):
            raise ContentionError from error
        raise
    if not found:
        raise RuntimeError("The view has deleted the record of its own request.")


def _told(error: Exception) -> Exception:
    """Give what a claim that failed means to the client."""
    if is_contention(error):
        return ContentionError()
    return UnavailableError() if is_outage(error) else error


def _keep(_connection: Any) -> None:
    """Leave locks to whoever ends the transaction further outside."""
