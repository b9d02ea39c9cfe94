"""MariaDB and MySQL: an insert that waits for nobody.

MariaDB can say so of one statement. MySQL cannot, and there a named lock comes
first: it belongs to the connection, and is released after the transaction.
"""

from typing import Any, Final

from django.core.signals import request_finished
from django.db import connections, transaction

from drf_apikit.idempotency.claims.rows import (
    Claim,
    ContentionError,
    Kept,
    insert_or_read,
)
from drf_apikit.idempotency.keys import digest

__all__ = ["release", "take"]

#: Where a connection keeps the names of its locks.
_LOCKS: Final = "_drf_apikit_locks"


def take(claim: Claim, connection: Any) -> Kept | None:
    """Claim a scope; give what is kept where it is done already.

    Raises:
        ContentionError: MySQL's lock is held.

    """
    patience = "SET STATEMENT innodb_lock_wait_timeout=0 FOR "
    if not connection.mysql_is_mariadb:
        patience = ""
        _lock(claim.scope, connection)
    return insert_or_read(
        claim,
        connection,
        ignore=f"{patience}INSERT IGNORE",
        replace=f"{patience}REPLACE",
        # It sees what was committed after this transaction's snapshot. The insert has
        # left a shared lock; a stronger one would make two retries collide.
        lock="LOCK IN SHARE MODE",
    )


def release(connection: Any) -> None:
    """Give back the locks that this connection holds."""
    names = vars(connection).pop(_LOCKS, None)
    if names and connection.connection is not None:
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute("SELECT RELEASE_LOCK(%s)", [name])


def _lock(scope: str, connection: Any) -> None:
    """Try the lock of a scope, until the transaction ends.

    Nothing tells of a rollback further outside; the end of the request does.
    """
    # All databases of a server share the names, of at most 64 characters.
    name = digest([connection.settings_dict["NAME"], scope])
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", [name])
        (got,) = cursor.fetchone()
    if not got:
        raise ContentionError
    vars(connection).setdefault(_LOCKS, []).append(name)
    transaction.on_commit(lambda: release(connection), using=connection.alias)


def _release_all(**_: Any) -> None:
    for connection in connections.all(initialized_only=True):
        release(connection)


request_finished.connect(_release_all, dispatch_uid="drf_apikit.idempotency.mysql")
