"""Expired records are deleted in batches, beside live traffic."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q, QuerySet

from drf_apikit.contention import is_contention
from drf_apikit.counters import count
from drf_apikit.database_clock import DatabaseNow
from drf_apikit.idempotency.claims import ContentionError
from drf_apikit.idempotency.claims.deletion import delete, delete_expired
from drf_apikit.models import IdempotencyRecord

__all__ = ["BATCH", "EXPIRED", "locked", "purge"]

#: Rows of a transaction.
BATCH: Final = 10_000
#: How often a batch is tried that others get in the way of.
_TRIES: Final = 5

Rows = QuerySet[IdempotencyRecord]


#: Of records whose keys can be used anew.
EXPIRED: Final = Q(expires_at__lte=DatabaseNow())


def purge(
    using: str,
    batch_size: int = BATCH,
    *,
    dry_run: bool = False,
    progress: Callable[[int], object] | None = None,
) -> int:
    """Delete what has expired; give how many records that were, or would be.

    Each batch is one short transaction, so that a run that ends early has lost
    nothing. A record that somebody holds, as a request that takes it over, is
    left for the next run. `progress` is told of all that is deleted so far. No
    `post_delete` is sent: that would read all answers.

    Raises:
        ContentionError: others were in the way, again and again.

    """
    if dry_run:
        return IdempotencyRecord.objects.using(using).filter(EXPIRED).count()
    done, since = 0, None
    while True:
        deleted, since = _insist(using, batch_size, since)
        done += deleted
        if deleted:
            count("idempotency.purged")
        if deleted and progress is not None:
            progress(done)
        if deleted < batch_size:
            return done


def locked(rows: Rows) -> Rows:
    """Lock rows without waiting: past those that others hold, where that can be.

    Elsewhere a row that is held is an error, which `is_contention` tells. SQLite
    has one writer at a time, and no locks of rows.
    """
    features = connections[rows.db].features
    skip = features.has_select_for_update_skip_locked
    nowait = features.has_select_for_update_nowait and not skip
    return rows.select_for_update(skip_locked=skip, nowait=nowait)


def _insist(
    using: str, batch_size: int, since: datetime | None
) -> tuple[int, datetime | None]:
    for _ in range(_TRIES):
        try:
            return _delete_batch(using, batch_size, since)
        except OperationalError as error:
            if not is_contention(error):
                raise
            reason = error
    raise ContentionError(str(reason)) from reason


def _delete_batch(
    using: str, batch_size: int, since: datetime | None
) -> tuple[int, datetime | None]:
    """Delete a batch; give its size, and where the next one begins.

    What is deleted can stay in an index for as long as a transaction elsewhere
    might want it, and would be read again by each batch that begins at the start.
    """
    connection = connections[using]
    _without_gaps(connection)
    with transaction.atomic(using=using):
        if not connection.features.has_select_for_update:
            return delete_expired(batch_size, using), None
        expired = IdempotencyRecord.objects.using(using).filter(EXPIRED)
        if since is not None:
            expired = expired.filter(expires_at__gte=since)
        rows = locked(expired).order_by("expires_at")
        found = list(rows.values_list("pk", "expires_at")[:batch_size])
        delete([key for key, _ in found], using)
        return len(found), found[-1][1] if found else since


def _without_gaps(connection: BaseDatabaseWrapper) -> None:
    """Keep a stricter isolation level from locking where new records go."""
    if connection.vendor == "mysql" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
