"""SQLite: one writer at a time, so whoever comes second waits."""

from django.db.backends.base.base import BaseDatabaseWrapper

from drf_apikit.idempotency.claims.rows import (
    COLUMNS,
    Claim,
    Kept,
    fetch,
    renewal,
    select,
    source,
    table,
)

__all__ = ["take"]


def take(claim: Claim, connection: BaseDatabaseWrapper) -> Kept | None:
    """Claim a scope; give what is kept where it is done already.

    It writes first: a transaction that reads first could not write later.
    """
    sql = (
        f"INSERT INTO {table(connection)} AS old ({COLUMNS})"
        f" VALUES ({source(claim, connection)})"
        f" ON CONFLICT (scope) DO UPDATE SET {renewal('excluded.{}')}"
        " WHERE old.expires_at <= excluded.created_at"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, claim.values)
        if cursor.rowcount:
            return None
    return fetch(select(connection), [claim.scope], connection)
