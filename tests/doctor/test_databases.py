import sqlite3
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections, router
from django.db.utils import ConnectionHandler
from pytest_django import DjangoDbBlocker

from drf_apikit.doctor import database_vendors, databases
from drf_apikit.doctor.databases import PROBE
from drf_apikit.doctor.findings import Context, Examination, Finding, Probe
from drf_apikit.doctor.running import examine

COMMON = ["reachable", "features", "writable", "clock"]
OWN = {
    "sqlite": ["transactions", "journal", "busy_timeout"],
    "postgresql": ["isolation", "connections"],
    "mariadb": ["isolation", "connections", "engine", "strict"],
}


def told(probe: Probe = PROBE) -> dict[str, Finding]:
    context = Context((DEFAULT_DB_ALIAS,), timeout=60)
    found = {one.id.partition(".")[2]: one for one in examine([probe], context)}
    assert {one.subject for one in found.values()} == {DEFAULT_DB_ALIAS}
    return found


def risks() -> dict[str, Finding]:
    return {name: one for name, one in told().items() if one.status == "risk"}


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Give the settings of the database, as the thread of the probe reads them."""
    changed: dict[str, Any] = {**connections.settings[DEFAULT_DB_ALIAS]}
    changed["OPTIONS"] = dict(changed["OPTIONS"])
    monkeypatch.setitem(connections.settings, DEFAULT_DB_ALIAS, changed)
    return changed


@pytest.mark.django_db
def test_databases_are_in_order(database: str) -> None:
    found = told()
    assert set(found) == {*COMMON, *OWN[database]}
    assert {str(one.status) for one in found.values()} == {"ok"}
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB"}
    assert found["reachable"].seen.startswith(f"{name[database]} ")
    assert found["features"].seen.startswith("transactions, savepoints, ")
    assert found["writable"].seen == "It can be written to."


@pytest.mark.django_db
def test_atomic_requests_are_told(atomic_requests: None) -> None:
    assert atomic_requests is None
    assert told()["reachable"].seen.endswith(", with ATOMIC_REQUESTS.")


@pytest.fixture(params=["sqlite3", "postgresql"])
def nowhere(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    settings = {
        "ENGINE": f"django.db.backends.{request.param}",
        "NAME": "/nowhere/at/all",
        "HOST": "127.0.0.1",
        "PORT": "1",
        "PASSWORD": "canary",
    }
    made = ConnectionHandler({DEFAULT_DB_ALIAS: settings})
    monkeypatch.setitem(
        connections.settings, DEFAULT_DB_ALIAS, made.settings[DEFAULT_DB_ALIAS]
    )
    with django_db_blocker.unblock():
        yield


@pytest.mark.usefixtures("nowhere")
def test_a_database_that_is_nowhere() -> None:
    found = told()
    assert list(found) == ["reachable"]
    assert found["reachable"].status == "risk"
    assert "cannot be used: OperationalError" in found["reachable"].seen
    assert "canary" not in str(found)


@pytest.mark.parametrize(
    ("shift", "status", "seen"),
    [
        (0, "ok", "within 5 seconds"),
        (60, "risk", "seconds behind"),
        (-60, "risk", "seconds ahead of"),
    ],
)
@pytest.mark.django_db
def test_clocks_are_compared(
    shift: float,
    status: str,
    seen: str,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(time=lambda: time.time() + shift)
    monkeypatch.setattr(databases, "time", clock)
    found = told()["clock"]
    if database == "sqlite":
        assert found.seen == "It has the clock of this host."
    else:
        assert found.status == status
        assert seen in found.seen


@pytest.mark.parametrize(
    ("given", "risky", "seen"),
    [
        ({"transaction_mode": None}, "transactions", "begin as DEFERRED"),
        ({"transaction_mode": "exclusive"}, None, ""),
        ({"timeout": 1}, "busy_timeout", "wait for 1 seconds"),
        (
            {"init_command": "PRAGMA journal_mode=DELETE"},
            "journal",
            "journal_mode is delete",
        ),
    ],
    ids=str,
)
def test_sqlite_as_it_should_not_be(
    given: dict[str, Any],
    risky: str | None,
    seen: str,
    tmp_path: Path,
    options: dict[str, Any],
    django_db_blocker: DjangoDbBlocker,
) -> None:
    options["NAME"] = str(tmp_path / "own.sqlite3")
    options["OPTIONS"].update(given)
    with django_db_blocker.unblock():
        found = risks()
    assert list(found) == ([risky] if risky else [])
    if risky:
        assert seen in found[risky].seen
        assert "'OPTIONS'" in found[risky].remedy


class Router:
    """Sends all writes to another database."""

    def db_for_write(self, model: Any, **_: Any) -> str:
        del model
        return "primary"


@pytest.fixture(params=["query_only", "file"])
def read_only(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    options: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    path = tmp_path / "own.sqlite3"
    with sqlite3.connect(path) as made:
        made.execute("PRAGMA journal_mode=WAL")
    made.close()
    options["NAME"] = str(path)
    if request.param == "query_only":
        options["OPTIONS"]["init_command"] = "PRAGMA query_only=1"
    else:
        path.chmod(stat.S_IRUSR)
        # Root may write whatever the mode is.
        access = SimpleNamespace(W_OK=2, access=lambda one, _: one != path)
        monkeypatch.setattr(database_vendors, "os", access)
    with django_db_blocker.unblock():
        yield


@pytest.mark.usefixtures("read_only")
def test_a_file_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told()["writable"]
    assert found.status == "risk"
    assert "drf_apikit.IdempotencyRecord is written there" in found.seen
    monkeypatch.setattr(router, "routers", [Router()])
    assert told()["writable"].seen == "It is read only, and nothing is written there."


class Answers:
    """A connection with the answers of another server."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def __call__(
        self, execute: Any, sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        for part, instead in self.answers.items():
            if part in sql:
                return execute(instead, None, many, context)
        return execute(sql, params, many, context)


def pretending(**answers: str) -> dict[str, Finding]:
    """Let the server answer other than it does: it belongs to all tests."""

    def examinations(context: Context) -> Iterator[Examination]:
        (one,) = PROBE.examinations(context)

        def run() -> Iterator[Finding]:
            with connections[one.subject].execute_wrapper(Answers(**answers)):
                yield from one.run()

        yield Examination(one.subject, run)

    found = told(replace(PROBE, examinations=examinations))
    return {name: one for name, one in found.items() if one.status == "risk"}


@pytest.mark.django_db
def test_servers_that_are_read_only(database: str) -> None:
    found = pretending(transaction_read_only="SELECT 'on'", read_only="SELECT 1, 'OFF'")
    assert list(found) == ([] if database == "sqlite" else ["writable"])


@pytest.mark.django_db
def test_stricter_isolation_is_told(database: str, options: dict[str, Any]) -> None:
    levels: dict[str, Any] = {
        "postgresql": psycopg.IsolationLevel.SERIALIZABLE,
        "mariadb": "serializable",
    }
    if database != "sqlite":
        options["OPTIONS"]["isolation_level"] = levels[database]
        found = told()["isolation"]
        assert found.seen == "SERIALIZABLE."
        assert found.remedy.startswith("Requests that meet")


@pytest.mark.django_db
def test_reading_what_is_not_committed(database: str, options: dict[str, Any]) -> None:
    if database == "mariadb":
        options["OPTIONS"]["isolation_level"] = "read uncommitted"
        assert list(risks()) == ["isolation"]


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"CONN_MAX_AGE": 0}, "Each request connects anew"),
        ({"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": False}, "Set CONN_HEALTH_CHECKS"),
        ({"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}, ""),
    ],
    ids=str,
)
@pytest.mark.django_db
def test_how_connections_are_kept(
    given: dict[str, Any], hint: str, database: str, options: dict[str, Any]
) -> None:
    options.update(given)
    if database != "sqlite":
        found = told()["connections"]
        assert found.status == "ok"
        assert found.remedy.startswith(hint)
        assert bool(found.remedy) == bool(hint)


@pytest.mark.django_db
def test_a_crowded_server(database: str) -> None:
    found = pretending(
        pg_stat_activity="SELECT 95, 100", Threads_connected="SELECT 'Threads', '195'"
    )
    assert list(found) == ([] if database == "sqlite" else ["connections"])


@pytest.mark.django_db
def test_mode_and_engine_of_mariadb(database: str, options: dict[str, Any]) -> None:
    if database == "mariadb":
        options["OPTIONS"]["init_command"] = (
            "SET SESSION sql_mode='', default_storage_engine=MyISAM"
        )
        found = risks()
        assert list(found) == ["features", "engine", "strict"]
        assert "There are no transactions" in found["features"].seen
        assert found["engine"].seen.startswith("New tables get MyISAM")


@pytest.mark.django_db
def test_tables_without_transactions(database: str) -> None:
    tables = "SELECT 'drf_apikit_identity', 'Aria'"
    names = " UNION ALL SELECT 'auth_user', 'MyISAM' UNION ALL SELECT 'other', 'CSV'"
    if database == "mariadb":
        (found,) = pretending(table_type=tables + names).values()
        assert found.seen == (
            "2 tables have no transactions:"
            " auth_user (MyISAM), drf_apikit_identity (Aria)."
        )


@pytest.mark.django_db
def test_a_database_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(connections[DEFAULT_DB_ALIAS]), "vendor", "oracle")
    found = told()
    assert list(found) == ["reachable", "features"]
    assert found["features"].status == "risk"


@pytest.mark.django_db
def test_nothing_is_left(database: str) -> None:
    tables = set(connection.introspection.table_names())
    told()
    assert set(connection.introspection.table_names()) == tables
    assert database
