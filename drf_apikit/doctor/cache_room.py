"""Whether a cache has room for what a probe puts there.

Django's caches in a database and in files count their entries at each write, and drop
many of them above `MAX_ENTRIES`, whoever needs them. One in memory does so as well, in
the process of the probe alone, where there is nothing to lose.
"""

from pathlib import Path
from typing import Any

from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.filebased import FileBasedCache
from django.db import connections, router

from drf_apikit.doctor.attempts import Attempt

__all__ = ["shortage"]


def shortage(cache: Any, more: int) -> str:
    """Say why that many more entries would drop others; empty if they would not.

    It is empty as well where that cannot be told, as of a cache that is not there.
    """
    with Attempt():
        number, most = _entries(cache), _limit(cache)
        if number is not None and number + more > most:
            return f"Nearly full: {number} of {most} entries; a race would evict some."
    return ""


def _limit(cache: Any) -> int:
    # Nothing public has it: a project may give it in three ways.
    return int(vars(cache)["_max_entries"])


def _entries(cache: Any) -> int | None:
    if isinstance(cache, DatabaseCache):
        return _rows(cache)
    if isinstance(cache, FileBasedCache):
        folder = Path(vars(cache)["_dir"])
        return sum(1 for _ in folder.glob(f"*{cache.cache_suffix}"))
    return None


def _rows(cache: Any) -> int:
    """Count as the cache does before it drops any: those that have expired too."""
    model = cache.cache_model_class
    # The one that is written to, which a replica is behind.
    connection = connections[router.db_for_write(model)]
    table = connection.ops.quote_name(model._meta.db_table)
    statement = ("SELECT COUNT(*) FROM", table)
    with connection.cursor() as cursor:
        cursor.execute(" ".join(statement))
        return int(cursor.fetchone()[0])
