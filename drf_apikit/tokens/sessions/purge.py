"""Sessions that have ended or expired are deleted."""

from collections.abc import Sequence
from typing import Any, Final

from django.db import connections
from django.db.models import Q

from drf_apikit.counters import count
from drf_apikit.database_clock import DatabaseNow
from drf_apikit.purging import Expiry
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions.refusals import Ending

__all__ = ["KEPT", "OVER", "SESSIONS"]

#: Seconds for which it is kept that a session has ended since somebody had a copy of a
#: refresh token: its user asks why, and it is what shows a theft. 30 days.
KEPT: Final = 30 * 24 * 3600
#: Of sessions that nobody misses. One that began with a token of simplejwt is what
#: keeps that token from beginning another one, and stays as long as it would be good.
OVER: Final = (
    Q(expires_at__lte=DatabaseNow())
    & (Q(origin=None) | Q(origin_expires_at__lte=DatabaseNow()))
    & (~Q(end_reason=Ending.REUSE.value) | Q(expires_at__lte=DatabaseNow(-KEPT)))
)
#: Keys of a statement: databases bound its parameters.
_STATEMENT: Final = 500


def _delete(keys: Sequence[Any], using: str) -> None:
    # MariaDB looks up one key, but reads a small table from its beginning to its end
    # for several, and waits at each row that others hold.
    size = 1 if connections[using].vendor == "mysql" else _STATEMENT
    rows = TokenSession.objects.using(using)
    for start in range(0, len(keys), size):
        rows.filter(pk__in=keys[start:][:size]).delete()


def _delete_some(limit: int, using: str) -> int:
    rows = TokenSession.objects.using(using)
    some = rows.filter(OVER).order_by("expires_at").values("pk")[:limit]
    return rows.filter(pk__in=some).delete()[0]


SESSIONS: Final = Expiry(
    model=TokenSession,
    name="token sessions",
    which=OVER,
    tally=lambda: count("tokens.purged"),
    delete=_delete,
    delete_some=_delete_some,
)
