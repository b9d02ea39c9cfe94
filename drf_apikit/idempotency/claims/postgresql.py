"""PostgreSQL: a lock that is tried, an insert and a read in one statement."""

from django.db.backends.base.base import BaseDatabaseWrapper

from drf_apikit.idempotency.claims.rows import (
    COLUMNS,
    READ,
    Claim,
    ContentionError,
    Kept,
    fetch,
    moment,
    renewal,
    select,
    source,
    table,
)

__all__ = ["take"]


def take(claim: Claim, connection: BaseDatabaseWrapper) -> Kept | None:
    """Claim a scope; give what is kept where it is done already.

    The lock goes with the transaction, so that it also does behind a pooler of
    transactions. Without it, an insert would wait for the one before it; with it
    alone, and no unique index, a snapshot from before the lock would not see
    what that one has committed.

    Raises:
        ContentionError: the lock is held, and nothing is there to be read yet.

    """
    name, now = table(connection), moment(connection)
    sql = (
        "WITH attempt AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(%s) AS locked),"
        f" claimed AS (INSERT INTO {name} AS old ({COLUMNS})"
        f" SELECT {source(claim, connection)} FROM attempt WHERE locked"
        f" ON CONFLICT (scope) DO UPDATE SET {renewal('excluded.{}')}"
        " WHERE old.expires_at <= excluded.created_at RETURNING scope)"
        f" SELECT {READ}, attempt.locked, EXISTS (SELECT FROM claimed)"
        f" FROM attempt LEFT JOIN {name} AS kept"
        f" ON kept.scope = %s AND kept.expires_at > {now}"
    )
    lock = int.from_bytes(bytes.fromhex(claim.scope)[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute(sql, [lock, *claim.values, claim.scope])
        *row, locked, claimed = cursor.fetchone()
    if claimed:
        return None
    kept = Kept(*row) if row[0] is not None else None
    if kept is None and locked:
        # Its commit fell between our snapshot and our lock.
        kept = fetch(select(connection), [claim.scope], connection)
    if kept is None:
        raise ContentionError
    return kept
