"""What time it is by the clock of the database: those of several hosts differ."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Expression
from django.utils import timezone

__all__ = ["DatabaseNow", "moment"]


class DatabaseNow(Expression):
    """The clock of the database in a query, some `seconds` on.

    Django's `Now()` has the time zone of the server on MySQL and MariaDB, which need
    not be that of the columns.
    """

    output_field = DateTimeField()

    def __init__(self, seconds: int = 0) -> None:
        super().__init__()
        self.seconds = seconds

    def as_sql(
        self, _compiler: Any, connection: BaseDatabaseWrapper
    ) -> tuple[str, tuple[str | int, ...]]:
        """Write it as `moment` does."""
        return moment(connection, self.seconds), ()


def moment(connection: BaseDatabaseWrapper, seconds: int = 0) -> str:
    """Write in SQL what time it is, or is going to be, as the columns have it.

    It is the database's clock: those of several hosts differ.
    """
    if connection.vendor == "postgresql":
        return f"(statement_timestamp() + interval '{seconds} seconds')"
    # The others have no time zones: their columns have the connection's time.
    zone = connection.timezone or timezone.get_default_timezone()
    then = datetime.now(UTC) + timedelta(seconds=seconds)
    offset = then.astimezone(zone).utcoffset()
    seconds += int(offset.total_seconds()) if offset else 0
    if connection.vendor == "mysql":
        return f"(UTC_TIMESTAMP(6) + INTERVAL {seconds} SECOND)"
    return f"strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '{seconds:+d} seconds')"
