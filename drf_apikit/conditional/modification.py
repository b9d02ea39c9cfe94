"""`Last-Modified`: a date that no later change can share (RFC 9110 section 8.8.2)."""

from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import Model
from django.utils import timezone

__all__ = ["UNSETTLED", "last_modified"]

#: What is modified so late that no date holds of it yet.
UNSETTLED: Final = datetime(9999, 1, 1, tzinfo=UTC)
#: For how long after a change its second may see another one, clocks of several
#: machines included (section 8.8.2.2).
_SETTLING: Final = timedelta(seconds=2)


def last_modified(row: Model, name: str | None) -> datetime | None:
    """Give the end of the second of the last change, once it is over.

    Before that, `UNSETTLED`: another change may come within that second, and a
    client that has the date of the first would never hear of the second. None
    where the row has no such date.
    """
    moment = getattr(row, name) if name else None
    if moment is None:
        return None
    moment, now = _aware(moment), _aware(timezone.now())
    whole = moment.replace(microsecond=0)
    whole += timedelta(seconds=moment > whole)
    return whole if whole + _SETTLING <= now else UNSETTLED


def _aware(moment: datetime) -> datetime:
    """Without USE_TZ times are in the default time zone, whatever the current one."""
    if timezone.is_aware(moment):
        return moment
    return timezone.make_aware(moment, timezone.get_default_timezone())
