"""How long ago something was, by the clock of the database and by no time zone.

Without `USE_TZ` most databases keep local times: an hour comes twice in autumn, and
one is missing in spring. What is a matter of seconds is counted instead.
"""

from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, FloatField

__all__ = ["DatabaseEpoch"]

#: The seconds since 1970 (UTC), in SQL.
_SECONDS: Final = {
    "postgresql": "extract(epoch from statement_timestamp())::double precision",
    "mysql": "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000000e0)",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}


class DatabaseEpoch(Expression):
    """The clock of the database in a query, in seconds since 1970."""

    output_field = FloatField()

    def as_sql(
        self, _compiler: Any, connection: BaseDatabaseWrapper
    ) -> tuple[str, tuple[str | int, ...]]:
        """Write it as this database does."""
        return _SECONDS[connection.vendor], ()
