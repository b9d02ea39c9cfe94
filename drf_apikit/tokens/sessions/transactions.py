"""Writes of sessions: in transactions of their own, and never on what is outdated."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import OperationalError, connections, router, transaction
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError

from drf_apikit.contention import is_outdated
from drf_apikit.tokens.models import TokenSession

__all__ = ["home", "own_transaction", "unless_outdated"]


def home() -> str:
    """Name the database that sessions are written to, and so read from: no replica."""
    return router.db_for_write(TokenSession)


@contextmanager
def own_transaction(alias: str) -> Iterator[None]:
    """Commit what is done within, whatever becomes of the request.

    Raises:
        TransactionManagementError: there is a transaction already, which may be
            taken back, so that a token that was used would be good again.

    """
    with ExitStack() as stack:
        try:
            stack.enter_context(transaction.atomic(using=alias, durable=True))
        except RuntimeError as error:
            raise _outer() from error
        if not connections[alias].commit_on_exit:
            raise _outer()
        yield


def unless_outdated(rows: QuerySet[TokenSession], **values: Any) -> bool:
    """Write to a row that is still as it was read; tell whether it was.

    One statement judges and writes, so that of any number of requests one wins. A
    transaction that the database has ended, since another one was first, is no fault.
    """
    try:
        with own_transaction(rows.db):
            _look_at_own_rows_alone(rows.db)
            return bool(rows.update(**values))
    except OperationalError as error:
        if not is_outdated(error):
            raise
        return False


def _look_at_own_rows_alone(alias: str) -> None:
    """Have PostgreSQL judge a write by its row, however strict the project is.

    Of a small table it reads all, and SERIALIZABLE takes that for a conflict with
    whoever writes to any other row.
    """
    connection: Any = connections[alias]
    level = connection.settings_dict["OPTIONS"].get("isolation_level")
    if connection.vendor == "postgresql" and level is not None:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


def _outer() -> TransactionManagementError:
    return TransactionManagementError(
        "Refresh tokens are used in a transaction of their own, which is committed"
        " whatever becomes of the request: call this outside of atomic() and with"
        " autocommit, and decorate the view with non_atomic_requests where"
        " ATOMIC_REQUESTS is set."
    )
