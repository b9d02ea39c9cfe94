"""MariaDB and MySQL: an insert that waits for nobody.

MariaDB can say so of one statement. MySQL cannot, and there a named lock comes
first: it belongs to the connection, and is released after the transaction.
"""

from typing import Any, Final

from django.core.signals import request_finished
from django.db import DatabaseError, InterfaceError, connections, transaction

from drf_apikit.idempotency.claims.rows import (
    Claim,
    ContentionError,
    Kept,
    insert_or_read,
    read,
)
from drf_apikit.idempotency.keys import digest

__all__ = ["release", "take"]

#: Where a connection keeps the names of its locks.
_LOCKS: Final = "_drf_apikit_locks"


def take(claim: Claim, connection: Any) -> Kept | None:
    """Claim a scope; give what is kept where it is done already.

    Raises:
        ContentionError: MySQL's lock is held, and nothing is there to be read.

    """
    patience = "SET STATEMENT innodb_lock_wait_timeout=0 FOR "
    if not connection.mysql_is_mariadb:
        patience = ""
        if not _lock(claim.scope, connection):
            # Another replay has the lock for a moment, or the first run is at it.
            kept = read(claim, connection)
            if kept is None or kept.status_code is None:
                raise ContentionError
            return kept
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
    if not names or connection.connection is None:
        return
    try:
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute("SELECT RELEASE_LOCK(%s)", [name])
    except (DatabaseError, InterfaceError):
        # With the connection go its locks.
        connection.close()


def _lock(scope: str, connection: Any) -> bool:
    """Try the lock of a scope, until the transaction ends.

    Nothing tells of a rollback further outside; the end of the request does.
    """
    # All databases of a server share the names, of at most 64 characters.
    name = digest([connection.settings_dict["NAME"], scope])
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", [name])
        (got,) = cursor.fetchone()
    if got:
        vars(connection).setdefault(_LOCKS, []).append(name)
        transaction.on_commit(
            lambda: release(connection), using=connection.alias, robust=True
        )
    return bool(got)


def _release_all(**_: Any) -> None:
    for connection in connections.all(initialized_only=True):
        release(connection)


request_finished.connect(_release_all, dispatch_uid="drf_apikit.idempotency.mysql")
