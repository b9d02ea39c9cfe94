"""The claim: one statement at the head of the transaction that has the effects.

The row appears to others when that transaction commits, together with the
effects and the answer. So nothing has to be released or taken over after a
crash: the database has rolled it all back.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import NotSupportedError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from drf_apikit.idempotency.keys import FORMAT
from drf_apikit.models import IdempotencyRecord

__all__ = ["Claim", "Outcome", "store", "take"]


class Outcome(enum.Enum):
    """What a claim came to."""

    RUN = "run"
    DONE = "done"
    IN_PROGRESS = "in progress"


@dataclass(frozen=True, slots=True)
class Claim:
    """What is written before the view runs. `ttl` is in seconds."""

    scope: str
    fingerprint: str
    method: str
    route: str
    ttl: int


def take(claim: Claim, alias: str) -> tuple[Outcome, IdempotencyRecord | None]:
    """Claim the scope with one statement, inside the open transaction.

    `RUN`: the caller may go on. `DONE`: it is done, here is its record.
    `IN_PROGRESS`: another transaction is at it.

    Raises:
        NotSupportedError: a database other than PostgreSQL, MySQL, MariaDB and
            SQLite.

    """
    connection = connections[alias]
    try:
        forms = _FORMS[connection.vendor]
    except KeyError:
        raise NotSupportedError(f"no claim for {connection.display_name}") from None
    try:
        return forms(claim, timezone.now(), connection)
    except OperationalError as error:
        if _is_contention(error):
            return Outcome.IN_PROGRESS, None
        raise


def store(scope: str, answer: Mapping[str, Any], alias: str) -> None:
    """Put the answer beside the claim; committed with it."""
    rows = IdempotencyRecord.objects.using(alias).filter(pk=scope)
    rows.update(**answer, completed_at=timezone.now())


def _postgresql(
    claim: Claim, now: datetime, connection: BaseDatabaseWrapper
) -> tuple[Outcome, IdempotencyRecord | None]:
    """Try a lock that goes with the transaction, insert, read: one statement.

    Without the lock, the insert of a second request would wait for the first.
    """
    insert, values = _upsert(
        claim, now, connection, "SELECT {} FROM attempt WHERE locked"
    )
    table = connection.ops.quote_name(IdempotencyRecord._meta.db_table)
    sql = (
        "WITH attempt AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(%s) AS locked),"
        f" claimed AS ({insert} RETURNING scope)"
        " SELECT kept.*, attempt.locked, EXISTS (SELECT FROM claimed) AS claimed"
        f" FROM attempt LEFT JOIN {table} AS kept"
        " ON kept.scope = %s AND kept.expires_at > %s"
    )
    records = IdempotencyRecord.objects.using(connection.alias)
    lock = int.from_bytes(bytes.fromhex(claim.scope)[:8], "big", signed=True)
    record: Any = records.raw(sql, [lock, *values, claim.scope, now])[0]
    if record.claimed:
        return Outcome.RUN, None
    if record.pk is None and record.locked:
        # Its commit fell between our snapshot and our lock.
        record = records.filter(pk=claim.scope).first()
    return (
        (Outcome.DONE, record) if record and record.pk else (Outcome.IN_PROGRESS, None)
    )


def _sqlite(
    claim: Claim, now: datetime, connection: BaseDatabaseWrapper
) -> tuple[Outcome, IdempotencyRecord | None]:
    """Write first: a transaction that reads first could not write later."""
    insert, values = _upsert(claim, now, connection, "VALUES ({})")
    return _insert_or_read(insert, values, claim, connection)


def _mysql(
    claim: Claim, now: datetime, connection: Any
) -> tuple[Outcome, IdempotencyRecord | None]:
    """Insert without waiting; MySQL itself waits for the other's commit."""
    columns, values = _row(claim, now, connection)
    table = connection.ops.quote_name(IdempotencyRecord._meta.db_table)
    insert = f"INSERT IGNORE INTO {table} ({columns}) VALUES ({_marks(values)})"
    if connection.mysql_is_mariadb:
        insert = f"SET STATEMENT innodb_lock_wait_timeout=0 FOR {insert}"
    expired = IdempotencyRecord.objects.using(connection.alias).filter(
        pk=claim.scope, expires_at__lte=now
    )
    outcome, record = _insert_or_read(insert, values, claim, connection)
    if record and record.expires_at <= now and expired.update(**_fresh(claim, now)):
        return Outcome.RUN, None
    return outcome, record


def _insert_or_read(
    insert: str, values: list[Any], claim: Claim, connection: BaseDatabaseWrapper
) -> tuple[Outcome, IdempotencyRecord | None]:
    with connection.cursor() as cursor:
        cursor.execute(insert, values)
        if cursor.rowcount:
            return Outcome.RUN, None
    # A locking read sees what was committed after this transaction's snapshot.
    rows = IdempotencyRecord.objects.using(connection.alias).select_for_update()
    record = rows.filter(pk=claim.scope).first()
    return (Outcome.DONE, record) if record else (Outcome.IN_PROGRESS, None)


_FORMS: Final[Mapping[str, Callable[..., tuple[Outcome, IdempotencyRecord | None]]]] = {
    "postgresql": _postgresql,
    "sqlite": _sqlite,
    "mysql": _mysql,
}


def _fresh(claim: Claim, now: datetime) -> dict[str, Any]:
    """Give the values of a claim, for a new row or over an expired one."""
    return {
        "fingerprint": claim.fingerprint,
        "format_version": FORMAT,
        "method": claim.method,
        "route": claim.route[:255],
        "status_code": None,
        "headers": None,
        "body": None,
        "created_at": now,
        "completed_at": None,
        "expires_at": now + timedelta(seconds=claim.ttl),
    }


def _row(
    claim: Claim, now: datetime, connection: BaseDatabaseWrapper
) -> tuple[str, list[Any]]:
    """Give the column names and the values as the database wants them."""
    fields = {"scope": claim.scope, **_fresh(claim, now)}
    columns: Any = IdempotencyRecord._meta
    values = [
        columns.get_field(name).get_db_prep_save(value, connection)
        for name, value in fields.items()
    ]
    return ", ".join(fields), values


def _upsert(
    claim: Claim, now: datetime, connection: BaseDatabaseWrapper, source: str
) -> tuple[str, list[Any]]:
    """Insert, or take over a row that has expired; touch no other row."""
    columns, values = _row(claim, now, connection)
    table = connection.ops.quote_name(IdempotencyRecord._meta.db_table)
    renewed = ", ".join(f"{name} = excluded.{name}" for name in _fresh(claim, now))
    return (
        f"INSERT INTO {table} AS old ({columns}) {source.format(_marks(values))}"
        f" ON CONFLICT (scope) DO UPDATE SET {renewed}"
        " WHERE old.expires_at <= excluded.created_at"
    ), values


def _marks(values: list[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _is_contention(error: OperationalError) -> bool:
    """Tell a lock or snapshot held by another transaction from a real fault."""
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return (code or error.args[0]) in _CONTENTION


#: PostgreSQL: serialization failure, deadlock, lock not available. SQLite: busy,
#: also with an old snapshot. MySQL: lock wait timeout, deadlock.
_CONTENTION: Final = frozenset(
    {"40001", "40P01", "55P03", "SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", 1205, 1213}
)
