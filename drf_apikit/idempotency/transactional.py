"""The claim: one statement at the head of the transaction that has the effects.

The row appears to others when that transaction commits, together with the
effects and the answer. So nothing has to be released or taken over after a
crash: the database has rolled it all back.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import NotSupportedError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from drf_apikit.contention import is_contention
from drf_apikit.idempotency.keys import FORMAT
from drf_apikit.models import IdempotencyRecord

__all__ = ["Claim", "ContentionError", "claimed", "store"]


class ContentionError(Exception):
    """Another transaction is at the same operation."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is written before the view runs. `ttl` is in seconds."""

    scope: str
    fingerprint: str
    method: str
    route: str
    ttl: int


@contextmanager
def claimed(claim: Claim, alias: str) -> Iterator[IdempotencyRecord | None]:
    """Open a transaction and claim the scope with its first statement.

    Gives None where the caller may go on, and else the record of what is done.
    A claim that fails leaves through the transaction, so that it is rolled back
    and what surrounds it can go on.

    Raises:
        ContentionError: another transaction has not finished.
        NotSupportedError: a database other than PostgreSQL, MySQL, MariaDB and
            SQLite.

    """
    connection = connections[alias]
    entered = False
    try:
        with transaction.atomic(using=alias):
            record = _take(claim, connection)
            entered = True
            yield record
    except OperationalError as error:
        if entered or not is_contention(error):
            raise
        raise ContentionError from error


def store(scope: str, answer: Mapping[str, Any], alias: str) -> None:
    """Put the answer beside the claim; committed with it."""
    rows = IdempotencyRecord.objects.using(alias).filter(pk=scope)
    rows.update(**answer, completed_at=timezone.now())


def _take(claim: Claim, connection: BaseDatabaseWrapper) -> IdempotencyRecord | None:
    try:
        form = _FORMS[connection.vendor]
    except KeyError:
        raise NotSupportedError(f"no claim for {connection.display_name}") from None
    record: IdempotencyRecord | None = form(claim, timezone.now(), connection)
    return record


def _postgresql(
    claim: Claim, now: datetime, connection: BaseDatabaseWrapper
) -> IdempotencyRecord | None:
    """Try a lock that goes with the transaction, insert, read: one statement.

    Without the lock, the insert of a second request would wait for the first.
    """
    insert, values = _upsert(
        claim, now, connection, "SELECT {} FROM attempt WHERE locked"
    )
    sql = (
        "WITH attempt AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(%s) AS locked),"
        f" claimed AS ({insert} RETURNING scope)"
        " SELECT kept.*, attempt.locked, EXISTS (SELECT FROM claimed) AS claimed"
        f" FROM attempt LEFT JOIN {_table(connection)} AS kept"
        " ON kept.scope = %s AND kept.expires_at > %s"
    )
    records = IdempotencyRecord.objects.using(connection.alias)
    lock = int.from_bytes(bytes.fromhex(claim.scope)[:8], "big", signed=True)
    record: Any = records.raw(sql, [lock, *values, claim.scope, now])[0]
    if record.claimed:
        return None
    if record.pk is None and not record.locked:
        raise ContentionError
    # Without a row, its commit fell between our snapshot and our lock.
    kept: IdempotencyRecord | None = record if record.pk else None
    return kept or records.get(pk=claim.scope)


def _sqlite(
    claim: Claim, now: datetime, connection: BaseDatabaseWrapper
) -> IdempotencyRecord | None:
    """Write first: a transaction that reads first could not write later."""
    insert, values = _upsert(claim, now, connection, "VALUES ({})")
    return _insert_or_read(insert, values, claim, connection)


def _mysql(claim: Claim, now: datetime, connection: Any) -> IdempotencyRecord | None:
    """Insert without waiting; MySQL itself waits for the other's commit."""
    columns, values = _row(claim, now, connection)
    insert = (
        f"INSERT IGNORE INTO {_table(connection)} ({columns}) VALUES ({_marks(values)})"
    )
    if connection.mysql_is_mariadb:
        insert = f"SET STATEMENT innodb_lock_wait_timeout=0 FOR {insert}"
    # A locking read sees what was committed after this transaction's snapshot. The
    # insert has left a shared lock; a stronger one would make two retries collide.
    record = _insert_or_read(insert, values, claim, connection, "LOCK IN SHARE MODE")
    if record is None or record.expires_at > now:
        return record
    rows = IdempotencyRecord.objects.using(connection.alias)
    rows.filter(pk=claim.scope).update(**_fresh(claim, now))
    return None


def _insert_or_read(
    insert: str,
    values: list[Any],
    claim: Claim,
    connection: BaseDatabaseWrapper,
    lock: str = "",
) -> IdempotencyRecord | None:
    with connection.cursor() as cursor:
        cursor.execute(insert, values)
        if cursor.rowcount:
            return None
    select = f"SELECT * FROM {_table(connection)} WHERE scope = %s {lock}"
    records = IdempotencyRecord.objects.using(connection.alias)
    return records.raw(select, [claim.scope])[0]


_FORMS: Final[Mapping[str, Callable[..., IdempotencyRecord | None]]] = {
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
    table = _table(connection)
    renewed = ", ".join(f"{name} = excluded.{name}" for name in _fresh(claim, now))
    return (
        f"INSERT INTO {table} AS old ({columns}) {source.format(_marks(values))}"
        f" ON CONFLICT (scope) DO UPDATE SET {renewed}"
        " WHERE old.expires_at <= excluded.created_at"
    ), values


def _table(connection: BaseDatabaseWrapper) -> str:
    return connection.ops.quote_name(IdempotencyRecord._meta.db_table)


def _marks(values: list[Any]) -> str:
    return ", ".join(["%s"] * len(values))
