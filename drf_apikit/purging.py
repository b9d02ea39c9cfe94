"""Rows that are of no use any more are deleted in batches, beside live traffic."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, Q, QuerySet

from drf_apikit.contention import is_contention

__all__ = [
    "BATCH",
    "BusyError",
    "Expiry",
    "locked",
    "purge",
    "register",
    "registered",
]

#: Rows of a transaction.
BATCH: Final = 10_000
#: How often a batch is tried that others get in the way of.
_TRIES: Final = 5

Row = TypeVar("Row", bound=Model)


class BusyError(Exception):
    """Other transactions were in the way, again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Rows of a table that go: which those are, and how they are deleted.

    The table has a column `expires_at`, which has an index.
    """

    model: type[Model]
    #: What people call them.
    name: str
    which: Q
    #: Counts a batch.
    tally: Callable[[], object]
    #: Deletes rows that are locked, by their keys, in a database.
    delete: Callable[[Sequence[Any], str], object]
    #: Deletes some where there are no locks of rows, in one statement; says how many.
    delete_some: Callable[[int, str], int]


_REGISTERED: Final[dict[str, Expiry]] = {}


def register(expiry: Expiry) -> None:
    """Have `apikit_purge` see to these rows too."""
    _REGISTERED[expiry.model._meta.label] = expiry


def registered() -> tuple[Expiry, ...]:
    """Give what is registered."""
    return tuple(_REGISTERED.values())


def purge(
    expiry: Expiry,
    using: str,
    batch_size: int = BATCH,
    *,
    dry_run: bool = False,
    progress: Callable[[int], object] | None = None,
) -> int:
    """Delete what has expired; give how many rows that were, or would be.

    Each batch is one short transaction, so that a run that ends early has lost
    nothing. A row that somebody holds is left for the next run. `progress` is told
    of all that is deleted so far.

    Raises:
        BusyError: others were in the way, again and again.

    """
    if dry_run:
        return _rows(expiry, using).count()
    done, since = 0, None
    while True:
        deleted, since = _insist(expiry, using, batch_size, since)
        done += deleted
        if deleted:
            expiry.tally()
        if deleted and progress is not None:
            progress(done)
        if deleted < batch_size:
            return done


def locked(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Lock rows without waiting: past those that others hold, where that can be.

    Elsewhere a row that is held is an error, which `is_contention` tells. SQLite
    has one writer at a time, and no locks of rows.
    """
    features = connections[rows.db].features
    skip = features.has_select_for_update_skip_locked
    nowait = features.has_select_for_update_nowait and not skip
    return rows.select_for_update(skip_locked=skip, nowait=nowait)


def _rows(expiry: Expiry, using: str) -> QuerySet[Model]:
    return expiry.model._base_manager.using(using).filter(expiry.which)


def _insist(
    expiry: Expiry, using: str, batch_size: int, since: datetime | None
) -> tuple[int, datetime | None]:
    for _ in range(_TRIES):
        try:
            return _delete_batch(expiry, using, batch_size, since)
        except OperationalError as error:
            if not is_contention(error):
                raise
            reason = error
    raise BusyError(str(reason)) from reason


def _delete_batch(
    expiry: Expiry, using: str, batch_size: int, since: datetime | None
) -> tuple[int, datetime | None]:
    """Delete a batch; give its size, and where the next one begins.

    What is deleted can stay in an index for as long as a transaction elsewhere
    might want it, and would be read again by each batch that begins at the start.
    """
    connection = connections[using]
    _without_gaps(connection)
    with transaction.atomic(using=using):
        if not connection.features.has_select_for_update:
            return expiry.delete_some(batch_size, using), None
        expired = _rows(expiry, using)
        if since is not None:
            expired = expired.filter(expires_at__gte=since)
        rows = locked(expired).order_by("expires_at")
        found = list(rows.values_list("pk", "expires_at")[:batch_size])
        expiry.delete([key for key, _ in found], using)
        return len(found), found[-1][1] if found else since


def _without_gaps(connection: BaseDatabaseWrapper) -> None:
    """Keep a stricter isolation level from locking where new rows go."""
    if connection.vendor == "mysql" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
