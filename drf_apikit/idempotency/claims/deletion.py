"""Records that this transaction has locked are deleted, without a wait."""

from collections.abc import Sequence
from typing import Any, Final

from django.db import OperationalError, connections, transaction

from drf_apikit.contention import is_contention, is_outdated
from drf_apikit.database_clock import moment
from drf_apikit.idempotency.claims.rows import table

__all__ = ["delete", "delete_expired"]

#: Rows of a statement: databases bound its parameters, and MariaDB looks up a
#: much longer list by reading the whole table.
_STATEMENT: Final = 500


def delete(scopes: Sequence[str], using: str) -> None:
    """Delete records that are locked."""
    name = table(connections[using])
    # Neighbours together: a table in the order of its keys is faster so.
    ordered = sorted(scopes)
    for start in range(0, len(ordered), _STATEMENT):
        _delete(f"DELETE FROM {name} WHERE scope", ordered[start:][:_STATEMENT], using)


def delete_expired(limit: int, using: str) -> int:
    """Delete some that have expired, where there are no locks of rows; say how many.

    It is one statement: a transaction that reads first might not write later.
    """
    connection = connections[using]
    name, now = table(connection), moment(connection)
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {name} WHERE scope IN (SELECT scope FROM {name}"
            f" WHERE expires_at <= {now} ORDER BY expires_at LIMIT %s)",
            [limit],
        )
        return int(cursor.rowcount)


def _delete(statement: str, scopes: Sequence[str], using: str) -> None:
    """Delete by one statement; or one by one where MariaDB would wait.

    It reads a small table from its beginning to its end, whatever index there is,
    and waits at each row that others hold. One key it always looks up.
    """
    connection: Any = connections[using]
    some = f"{statement} IN ({', '.join(['%s'] * len(scopes))})"
    with connection.cursor() as cursor:
        if connection.vendor != "mysql":
            cursor.execute(some, scopes)
        elif not (connection.mysql_is_mariadb and _at_once(some, scopes, using)):
            cursor.executemany(f"{statement} = %s", [[scope] for scope in scopes])


def _at_once(statement: str, scopes: Sequence[str], using: str) -> bool:
    patience = "SET STATEMENT innodb_lock_wait_timeout=0 FOR "
    try:
        with transaction.atomic(using=using), connections[using].cursor() as cursor:
            cursor.execute(f"{patience}{statement}", scopes)
    except OperationalError as error:
        if not is_contention(error) or is_outdated(error):
            raise
        return False
    return True
