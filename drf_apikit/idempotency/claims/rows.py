"""What is written for a claim, what is read of a record, and by which clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from drf_apikit.database_clock import moment
from drf_apikit.idempotency.keys import FORMAT
from drf_apikit.models import IdempotencyRecord

__all__ = [
    "COLUMNS",
    "READ",
    "Claim",
    "ContentionError",
    "Kept",
    "complete",
    "insert_or_read",
    "read",
    "source",
    "table",
]

#: The columns of a claim; the last two are by the clock of the database.
COLUMNS: Final = (
    "scope, principal, fingerprint, format_version, method, route, has_body,"
    " created_at, expires_at"
)
_ROUTE: Final = 255


class ContentionError(Exception):
    """Another transaction is at the same operation."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is written before the view runs. `ttl` is in seconds."""

    scope: str
    principal: str
    fingerprint: str
    method: str
    route: str
    ttl: int

    @property
    def values(self) -> list[Any]:
        """The parameters of `source`."""
        digests = [self.scope, self.principal, self.fingerprint]
        return [*digests, FORMAT, self.method, self.route[:_ROUTE], False]


class Kept(NamedTuple):
    """What a replay needs of a record."""

    principal: str
    fingerprint: str
    format_version: int
    status_code: int | None
    has_body: bool
    codec: int
    answer: bytes


#: The columns of `Kept`, of a table that is called `kept`.
READ: Final = ", ".join(f"kept.{name}" for name in Kept.__annotations__)


def insert_or_read(
    claim: Claim,
    connection: BaseDatabaseWrapper,
    *,
    ignore: str,
    replace: str = "REPLACE",
    lock: str = "",
) -> Kept | None:
    """Insert a claim, or read what is there, or replace it if it has expired."""
    name, values = table(connection), source(claim, connection)
    claimed = f"INTO {name} ({COLUMNS}) VALUES ({values})"
    with connection.cursor() as cursor:
        cursor.execute(f"{ignore} {claimed}", claim.values)
        if cursor.rowcount:
            return None
        kept = read(claim, connection, lock)
        if kept is None:
            cursor.execute(f"{replace} {claimed}", claim.values)
    return kept


def read(claim: Claim, connection: BaseDatabaseWrapper, lock: str = "") -> Kept | None:
    """Read what is kept of a scope; None where that has expired."""
    sql = (
        f"SELECT kept.expires_at <= {moment(connection)}, {READ}"
        f" FROM {table(connection)} AS kept WHERE kept.scope = %s {lock}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [claim.scope])
        expired, *row = cursor.fetchone() or [True]
    return None if expired else Kept(*row)


def table(connection: BaseDatabaseWrapper) -> str:
    """Quote the name of the table."""
    return connection.ops.quote_name(IdempotencyRecord._meta.db_table)


def source(claim: Claim, connection: BaseDatabaseWrapper) -> str:
    """Write the values of `COLUMNS`."""
    begin, end = moment(connection), moment(connection, claim.ttl)
    return f"%s, %s, %s, %s, %s, %s, %s, {begin}, {end}"


def complete(
    scope: str, columns: Mapping[str, Any], connection: BaseDatabaseWrapper
) -> bool:
    """Put the answer into the row of a claim; False where it is gone."""
    given = ", ".join(f"{name} = %s" for name in columns)
    sql = (
        f"UPDATE {table(connection)} SET {given}, completed_at = {moment(connection)}"
        " WHERE scope = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*columns.values(), scope])
        return bool(cursor.rowcount)
