"""What is peculiar to each database."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.db import transaction

from drf_apikit.doctor.findings import Finding, Subject, some

__all__ = [
    "BUSY_TIMEOUT",
    "CONNECTIONS",
    "ENGINE",
    "ISOLATION",
    "JOURNAL",
    "STRICT",
    "TRANSACTIONS",
    "WRITABLE",
    "clock_of",
    "is_writable",
    "mysql_findings",
    "postgresql_findings",
    "sqlite_findings",
]

CONNECTIONS: Final = "databases.connections"
ENGINE: Final = "databases.engine"
ISOLATION: Final = "databases.isolation"
JOURNAL: Final = "databases.journal"
STRICT: Final = "databases.strict"
BUSY_TIMEOUT: Final = "databases.busy_timeout"
TRANSACTIONS: Final = "databases.transactions"
WRITABLE: Final = "databases.writable"

#: The share of all connections that may be in use.
_CROWDED: Final = 0.9
_WRITING: Final = ("IMMEDIATE", "EXCLUSIVE")
#: Milliseconds for which a writer should wait.
_PATIENCE: Final = 5000
_STRICTER: Final = (
    "Requests that meet are refused (409) where READ COMMITTED would let them wait."
)


def clock_of(connection: Any) -> float | None:
    """Give a server's time in seconds since the epoch; None without a server."""
    if connection.vendor == "sqlite":
        return None
    sql = "SELECT EXTRACT(EPOCH FROM clock_timestamp())"
    if connection.vendor == "mysql":
        sql = (
            "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"
            " / 1000000"
        )
    return float(_row(connection, sql)[0])


def is_writable(connection: Any) -> str:
    """Say why nothing can be written; empty where it can."""
    if connection.vendor == "postgresql":
        (mode,) = _row(connection, "SELECT current_setting('transaction_read_only')")
        return "Transactions are read only" if mode == "on" else ""
    if connection.vendor == "mysql":
        sql = "SELECT @@read_only, @@innodb_read_only"
        is_off = {"0", "OFF"}.issuperset(str(one) for one in _row(connection, sql))
        return "" if is_off else "The server is read only"
    (only,) = _row(connection, "PRAGMA query_only")
    path = Path(str(connection.settings_dict["NAME"]))
    # SQLite writes its journals beside the file.
    places = (path, path.parent) if path.is_file() else ()
    closed = not all(os.access(place, os.W_OK) for place in places)
    return "The file or its folder is read only" if only or closed else ""


def postgresql_findings(connection: Any, subject: Subject) -> Iterator[Finding]:
    """Look at the isolation level and at the connections."""
    # Django says it at the beginning of each transaction.
    with transaction.atomic(using=connection.alias):
        (level,) = _row(connection, "SELECT current_setting('transaction_isolation')")
    yield _isolation(str(level), subject)
    used, most = _row(
        connection,
        "SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity"
        " WHERE backend_type = 'client backend'",
    )
    yield _connections(connection, subject, int(used), int(most))


def mysql_findings(connection: Any, subject: Subject) -> Iterator[Finding]:
    """Look at the isolation level, engines, strict mode and the connections."""
    told = _variables(
        connection,
        *("transaction_isolation", "tx_isolation", "sql_mode", "max_connections"),
        "default_storage_engine",
    )
    level = told.get("transaction_isolation") or told["tx_isolation"]
    yield _isolation(level, subject)
    yield _engine(connection, subject, told["default_storage_engine"])
    if {"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"} & set(told["sql_mode"].split(",")):
        yield subject.ok(STRICT, "Values that do not fit are refused.")
    else:
        yield subject.risk(
            STRICT,
            "sql_mode is not strict: values that do not fit are cut and written.",
            "Add STRICT_TRANS_TABLES to sql_mode, of the server or in `init_command`.",
        )
    used = int(_row(connection, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")[1])
    yield _connections(connection, subject, used, int(told["max_connections"]))


def sqlite_findings(connection: Any, subject: Subject) -> Iterator[Finding]:
    """Look at how transactions begin, at the journal, and at the time to wait."""
    options = f"DATABASES[{connection.alias!r}]['OPTIONS']"
    given = connection.settings_dict.get("OPTIONS") or {}
    mode = str(given.get("transaction_mode") or "DEFERRED").upper()
    seen = f"Transactions begin as {mode}"
    if mode in _WRITING:
        yield subject.ok(TRANSACTIONS, f"{seen}.")
    else:
        yield subject.risk(
            TRANSACTIONS,
            f"{seen}: one that reads before it writes fails at once when another one"
            " has written.",
            f"Set 'transaction_mode': 'IMMEDIATE' in {options}.",
        )
    (journal,) = _row(connection, "PRAGMA journal_mode")
    if journal == "wal":
        yield subject.ok(JOURNAL, "journal_mode is wal.")
    else:
        yield subject.risk(
            JOURNAL,
            f"journal_mode is {journal}: readers wait for the writer, and it for them.",
            f"Set 'init_command': 'PRAGMA journal_mode=WAL;' in {options}.",
        )
    (patience,) = _row(connection, "PRAGMA busy_timeout")
    if patience >= _PATIENCE:
        yield subject.ok(BUSY_TIMEOUT, f"Writers wait for {patience / 1000:g} seconds.")
    else:
        yield subject.risk(
            BUSY_TIMEOUT,
            f"Writers wait for {patience / 1000:g} seconds, and then fail.",
            f"Set 'timeout': 20 in {options}.",
        )


def _isolation(level: str, subject: Subject) -> Finding:
    name = level.upper().replace("-", " ")
    if name == "READ UNCOMMITTED":
        return subject.risk(
            ISOLATION,
            "READ UNCOMMITTED: requests see what others may yet roll back.",
            "Set 'isolation_level': 'read committed' in OPTIONS, Django's default.",
        )
    hint = "" if name == "READ COMMITTED" else _STRICTER
    return subject.ok(ISOLATION, f"{name}.", hint)


def _engine(connection: Any, subject: Subject, default: str) -> Finding:
    tables = set(connection.introspection.django_table_names(only_existing=False))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, engine FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
        )
        found = [(str(name), str(engine)) for name, engine in cursor.fetchall()]
    others = sorted(
        f"{name} ({engine})"
        for name, engine in found
        if name in tables and engine.upper() != "INNODB"
    )
    if others:
        return subject.risk(
            ENGINE,
            f"{len(others)} tables have no transactions: {some(others)}.",
            "ALTER TABLE ... ENGINE=InnoDB.",
        )
    if default.upper() != "INNODB":
        return subject.risk(
            ENGINE,
            f"New tables get {default}, which may have no transactions.",
            "Set default_storage_engine = InnoDB.",
        )
    return subject.ok(ENGINE, "All tables of models have InnoDB.")


def _connections(connection: Any, subject: Subject, used: int, most: int) -> Finding:
    seen = f"{used} of {most} connections are in use."
    if used > _CROWDED * most:
        remedy = "Put a pool in front of it, lower CONN_MAX_AGE, or raise the limit."
        return subject.risk(CONNECTIONS, seen, remedy)
    settings = connection.settings_dict
    age, pool = settings["CONN_MAX_AGE"], (settings.get("OPTIONS") or {}).get("pool")
    hint = ""
    if age == 0 and not pool:
        hint = "Each request connects anew: set CONN_MAX_AGE, or use a pool."
    elif age != 0 and not settings["CONN_HEALTH_CHECKS"]:
        hint = "Set CONN_HEALTH_CHECKS: a kept connection may be dead when it is used."
    return subject.ok(CONNECTIONS, seen, hint)


def _row(connection: Any, sql: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row: tuple[Any, ...] = cursor.fetchone()
    return row


def _variables(connection: Any, *names: str) -> dict[str, str]:
    places = ", ".join(["%s"] * len(names))
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW VARIABLES WHERE variable_name IN ({places})", names)
        return {str(name): str(value) for name, value in cursor.fetchall()}
