"""SQLite: one writer at a time, so whoever comes second waits."""

from django.db.backends.base.base import BaseDatabaseWrapper

from drf_apikit.idempotency.claims.rows import Claim, Kept, insert_or_read

__all__ = ["take"]


def take(claim: Claim, connection: BaseDatabaseWrapper) -> Kept | None:
    """Claim a scope; give what is kept where it is done already.

    It writes first: a transaction that reads first could not write later.
    """
    return insert_or_read(claim, connection, ignore="INSERT OR IGNORE")
