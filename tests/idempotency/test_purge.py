"""Expired records go, and nothing else, whoever is at them at the same time."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from django.db import (
    DEFAULT_DB_ALIAS,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.utils import timezone
from pytest_django import Settings

from drf_apikit import purging
from drf_apikit.idempotency.claims import (
    Claim,
    claimed,
    deletion,
    store,
)
from drf_apikit.idempotency.keys import digest
from drf_apikit.idempotency.purge import RECORDS, purge
from drf_apikit.models import IdempotencyRecord
from drf_apikit.purging import BusyError
from tests.counting import of_block, recorded
from tests.databases import in_threads

ANSWER: Final = {"status_code": 201, "has_body": True, "codec": 0, "answer": b"done"}
HOUR: Final = timedelta(hours=1)

pytestmark = pytest.mark.django_db(transaction=True)
with_locks_of_rows = pytest.mark.parametrize(
    "database", ["postgresql", "mariadb"], indirect=True
)
on_mariadb = pytest.mark.parametrize("database", ["mariadb"], indirect=True)


def scope(name: str, number: int = 0) -> str:
    return digest([name, number])


def fill(name: str, count: int = 1, life: timedelta = -HOUR) -> None:
    """Make records of which two at a time end at the same moment."""
    now = timezone.now()
    IdempotencyRecord.objects.bulk_create(
        IdempotencyRecord(
            scope=scope(name, number),
            principal="a" * 64,
            fingerprint="f" * 64,
            format_version=1,
            method="POST",
            route="transfers/",
            created_at=now - HOUR,
            expires_at=now + life - timedelta(seconds=number // 2),
            **ANSWER,
        )
        for number in range(count)
    )


def left() -> list[str]:
    return sorted(IdempotencyRecord.objects.values_list("scope", flat=True))


def claim(name: str) -> Claim:
    return Claim(scope(name), "a" * 64, "e" * 64, "POST", "transfers/", 3600)


def execute(name: str) -> None:
    """Do an operation, as a request does."""
    with claimed(claim(name), DEFAULT_DB_ALIAS) as kept:
        assert kept is None
        store(scope(name), ANSWER, DEFAULT_DB_ALIAS)


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def elsewhere(*calls: Callable[[], Any]) -> list[Any]:
    """Make the calls on connections of their own, where a wait soon fails."""

    def impatiently(call: Callable[[], Any]) -> Callable[[], Any]:
        def run_it() -> Any:
            if connection.vendor == "mysql":
                run("SET SESSION innodb_lock_wait_timeout = 1")
            return call()

        return run_it

    return in_threads(*map(impatiently, calls))


@pytest.mark.usefixtures("database")
def test_what_has_expired_goes_batch_by_batch(settings: Settings) -> None:
    counted = recorded(settings)
    told: list[int] = []
    fill("expired", 20)
    fill("alive", 3, HOUR)
    assert purge(DEFAULT_DB_ALIAS, 7, progress=told.append) == 20
    assert told == [7, 14, 20]
    assert left() == sorted(scope("alive", number) for number in range(3))
    assert of_block("idempotency", counted) == [("idempotency.purged", {})] * 3
    assert purge(DEFAULT_DB_ALIAS, 7, progress=told.append) == 0
    assert (len(told), len(counted)) == (3, 3)


@pytest.mark.usefixtures("database")
def test_batches_without_a_remainder() -> None:
    fill("expired", 1_200)
    assert purge(DEFAULT_DB_ALIAS, 600) == 1_200
    assert left() == []


@pytest.mark.usefixtures("database")
def test_a_dry_run_only_counts(settings: Settings) -> None:
    counted = recorded(settings)
    fill("expired", 3)
    fill("alive", 2, HOUR)
    assert purge(DEFAULT_DB_ALIAS, 2, dry_run=True) == 3
    assert (len(left()), counted) == (5, [])


@pytest.mark.usefixtures("database")
def test_within_a_transaction_of_the_caller() -> None:
    fill("expired", 3)
    with transaction.atomic():
        assert purge(DEFAULT_DB_ALIAS, 2) == 3
    assert left() == []


@pytest.mark.usefixtures("database")
def test_a_run_that_is_stopped_has_lost_nothing() -> None:
    def stop(_done: int) -> None:
        raise KeyboardInterrupt

    fill("expired", 10)
    with pytest.raises(KeyboardInterrupt):
        purge(DEFAULT_DB_ALIAS, 4, progress=stop)
    assert len(left()) == 6
    assert purge(DEFAULT_DB_ALIAS, 4) == 6


@with_locks_of_rows
def test_a_record_that_is_taken_over_is_left_alone(database: str) -> None:
    fill("expired", 9)
    with claimed(claim("expired"), DEFAULT_DB_ALIAS) as kept:
        assert kept is None, database
        store(scope("expired"), ANSWER, DEFAULT_DB_ALIAS)
        assert elsewhere(lambda: purge(DEFAULT_DB_ALIAS, 4)) == [8]
    assert left() == [scope("expired")]
    assert purge(DEFAULT_DB_ALIAS) == 0


@with_locks_of_rows
def test_without_skipping_it_does_not_wait_either(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def patched() -> None:
        features: Any = connection.features
        monkeypatch.setattr(features, "has_select_for_update_skip_locked", False)
        with pytest.raises(BusyError):
            purge(DEFAULT_DB_ALIAS)

    fill("expired", 2)
    with claimed(claim("expired"), DEFAULT_DB_ALIAS):
        elsewhere(patched)
    assert purge(DEFAULT_DB_ALIAS) == 1, database


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("database")
def test_on_sqlite_waiting_has_an_end() -> None:
    def impatient() -> None:
        run("PRAGMA busy_timeout = 0")
        with pytest.raises(BusyError, match="locked"):
            purge(DEFAULT_DB_ALIAS)

    fill("expired", 2)
    with claimed(claim("another"), DEFAULT_DB_ALIAS):
        in_threads(impatient)
    assert purge(DEFAULT_DB_ALIAS) == 2


@with_locks_of_rows
def test_new_records_do_not_wait_for_a_batch(database: str) -> None:
    def delete(scopes: Sequence[str], using: str) -> None:
        if IdempotencyRecord.objects.count() == 5:
            elsewhere(lambda: execute("first"), lambda: execute("second"))
        deletion.delete(scopes, using)

    busy = replace(RECORDS, delete=delete)
    fill("expired", 5)
    if database == "mariadb":
        run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    try:
        assert purging.purge(busy, DEFAULT_DB_ALIAS) == 5
    finally:
        connection.close()
    assert left() == sorted([scope("first"), scope("second")])


@pytest.mark.usefixtures("database")
def test_two_at_once_share_the_work() -> None:
    def work() -> int:
        return purge(DEFAULT_DB_ALIAS, 100)

    fill("expired", 2_000)
    fill("alive", 1, HOUR)
    done = in_threads(work, work)
    assert sum(done) + purge(DEFAULT_DB_ALIAS) == 2_000
    assert left() == [scope("alive")]


@on_mariadb
def test_mysql_looks_up_one_key_at_a_time(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill("expired", 3)
    monkeypatch.setitem(vars(connections["default"]), "mysql_is_mariadb", False)
    assert purge(DEFAULT_DB_ALIAS) == 3, database
    assert left() == []


def test_an_error_that_is_no_contention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IdempotencyRecord._meta, "db_table", "nowhere")
    with pytest.raises(OperationalError, match="no such table"):
        purge(DEFAULT_DB_ALIAS)
