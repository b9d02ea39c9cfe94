"""PostgreSQL: a lock that is tried, an insert and a read in one statement."""

from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

from drf_apikit.database_clock import moment
from drf_apikit.idempotency.claims.rows import (
    COLUMNS,
    READ,
    Claim,
    ContentionError,
    Kept,
    source,
    table,
)

__all__ = ["take"]

#: The lock goes with the transaction, so that it also does behind a pooler of
#: transactions. It keeps the insert from waiting for the one before it; the unique
#: index keeps what was committed after this statement's snapshot from being missed.
_LOCK: Final = "pg_try_advisory_xact_lock(%s)"
#: What a claim empties in a row that has expired.
_EMPTIED: Final = ("status_code", "codec", "answer", "completed_at")


def take(claim: Claim, connection: BaseDatabaseWrapper) -> Kept | None:
    """Claim a scope; give what is kept where it is done already.

    Raises:
        ContentionError: the lock is held, and nothing is there to be read yet.

    """
    name, values = table(connection), source(claim, connection)
    lock = int.from_bytes(bytes.fromhex(claim.scope)[:8], "big", signed=True)
    found = f"kept.expires_at <= {moment(connection)}, {READ}"
    insert = (
        f"WITH claimed AS (INSERT INTO {name} ({COLUMNS}) SELECT {values} WHERE {_LOCK}"
        " ON CONFLICT (scope) DO NOTHING RETURNING 1)"
        " SELECT done, seen.* FROM (SELECT EXISTS (SELECT FROM claimed) AS done) AS own"
        # Who has claimed looks at nothing: under SERIALIZABLE that would be a conflict
        # with those who claim something else. OFFSET keeps the planner from having a
        # join, which reads all of a small table whoever has claimed.
        f" LEFT JOIN LATERAL (SELECT {found} FROM {name} AS kept WHERE NOT done"
        " AND kept.scope = CAST(%s AS char(64)) OFFSET 0) AS seen ON TRUE"
    )
    with connection.cursor() as cursor:
        cursor.execute(insert, [*claim.values, lock, claim.scope])
        claimed, expired, *row = cursor.fetchone()
        if claimed:
            return None
        if expired is None:
            # Refused; or else its commit fell between our snapshot and our lock.
            read = f"SELECT {found} FROM {name} AS kept WHERE kept.scope = %s"
            cursor.execute(read, [claim.scope])
            expired, *row = cursor.fetchone() or [None]
        if expired:
            emptied = ", ".join(f"{column} = NULL" for column in _EMPTIED)
            renew = (
                f"UPDATE {name} SET ({COLUMNS}) = ({values}), {emptied}"
                f" WHERE scope = %s AND expires_at <= {moment(connection)} AND {_LOCK}"
            )
            cursor.execute(renew, [*claim.values, claim.scope, lock])
            if cursor.rowcount:
                return None
    if expired is not False:
        raise ContentionError
    return Kept(*row)
