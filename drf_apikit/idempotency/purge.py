"""Expired records are deleted in batches, beside live traffic."""

from collections.abc import Callable
from typing import Final

from django.db.models import Q

from drf_apikit import purging
from drf_apikit.counters import count
from drf_apikit.database_clock import DatabaseNow
from drf_apikit.idempotency.claims.deletion import delete, delete_expired
from drf_apikit.models import IdempotencyRecord
from drf_apikit.purging import BATCH, Expiry, locked

__all__ = ["EXPIRED", "RECORDS", "locked", "purge"]

#: Of records whose keys can be used anew.
EXPIRED: Final = Q(expires_at__lte=DatabaseNow())
#: What goes: no `post_delete` is sent, since that would read all answers.
RECORDS: Final = Expiry(
    model=IdempotencyRecord,
    name="idempotency records",
    which=EXPIRED,
    tally=lambda: count("idempotency.purged"),
    delete=delete,
    delete_some=delete_expired,
)


def purge(
    using: str,
    batch_size: int = BATCH,
    *,
    dry_run: bool = False,
    progress: Callable[[int], object] | None = None,
) -> int:
    """Delete what has expired, as `drf_apikit.purging.purge` does.

    A record that a request takes over is left for the next run.

    Raises:
        BusyError: others were in the way, again and again.

    """
    return purging.purge(RECORDS, using, batch_size, dry_run=dry_run, progress=progress)
