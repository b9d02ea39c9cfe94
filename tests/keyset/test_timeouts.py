"""A limit of time for statements: real ones, on real servers."""

from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.models import Count
from django.db.models.expressions import RawSQL

from drf_apikit.keyset.timeouts import StatementTimeoutError, statement_timeout
from tests.app.models import Author

SLOW = {
    # Each counts for minutes if nobody stops it.
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT COUNT(*) FROM n",
    "postgresql": "SELECT COUNT(*) FROM generate_series(1, 1000000) a,"
    " generate_series(1, 1000000) b",
    "mariadb": "SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
}


def run_slowly() -> None:
    vendor = connection.vendor
    with connection.cursor() as cursor:
        cursor.execute(SLOW["mariadb" if vendor == "mysql" else vendor])


def limit_of(vendor: str) -> Any:
    """Ask for the limit that a server has for this connection."""
    if vendor == "sqlite":
        return None
    name = {
        "postgresql": "SELECT current_setting('statement_timeout')",
        "mariadb": "SELECT @@max_statement_time",
    }[vendor]
    with connection.cursor() as cursor:
        cursor.execute(name)
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_a_slow_statement_is_stopped(database: str) -> None:
    before = limit_of(database)
    with pytest.raises(StatementTimeoutError), statement_timeout(50, "default"):
        run_slowly()
    assert limit_of(database) == before
    assert Author.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_transaction_goes_on_afterwards(database: str) -> None:
    with transaction.atomic():
        before = limit_of(database)
        Author.objects.create(name="before")
        with pytest.raises(StatementTimeoutError), statement_timeout(50, "default"):
            run_slowly()
        assert limit_of(database) == before
        Author.objects.create(name="behind")
    assert Author.objects.count() == 2


@pytest.mark.django_db
def test_a_quick_statement_is_not_stopped(database: str) -> None:
    Author.objects.create(name="Ada")
    before = limit_of(database)
    with statement_timeout(60_000, "default"):
        assert Author.objects.count() == 1
    assert limit_of(database) == before
    assert Author.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_another_error_passes_through() -> None:
    with (
        pytest.raises(Exception, match=r"tests_app_missing"),
        transaction.atomic(),
        statement_timeout(60_000, "default"),
    ):
        Author.objects.extra(tables=["tests_app_missing"]).count()
    assert Author.objects.count() == 0


@pytest.mark.django_db
def test_an_operational_error_of_another_kind_passes_through() -> None:
    with (
        pytest.raises(OperationalError, match="no such function"),
        statement_timeout(60_000, "default"),
    ):
        Author.objects.annotate(n=RawSQL("no_such_thing(1)", ())).aggregate(Count("n"))
    with (
        pytest.raises(OperationalError, match="out of the blue"),
        statement_timeout(60_000, "default"),
    ):
        raise OperationalError("out of the blue")


@pytest.mark.django_db
def test_a_database_without_a_limit_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections["default"], "vendor", "oracle")
    with statement_timeout(1, "default"):
        assert Author.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.usefixtures("database")
def test_mysql_is_told_by_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(connections["default"]), "mysql_is_mariadb", False)
    said: list[str] = []

    def listen(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        said.append(sql)
        return execute(sql, params, many, context)

    with statement_timeout(50, "default"), connection.execute_wrapper(listen):
        Author.objects.count()
    # MariaDB, which the test has, reads the hint as a comment.
    assert said[0].startswith("SELECT /*+ MAX_EXECUTION_TIME(50) */ COUNT")


class Psycopg2Error(Exception):
    """What psycopg 2 raises says it by another name."""

    pgcode = "57014"


@pytest.mark.django_db
def test_either_driver_of_postgresql_is_understood() -> None:
    with pytest.raises(StatementTimeoutError), statement_timeout(1000, "default"):
        raise OperationalError from Psycopg2Error()
