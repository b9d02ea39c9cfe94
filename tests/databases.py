"""The same tests on SQLite, PostgreSQL and MariaDB, by swapping `default`.

Code under test sees one alias, whose transactions, threads and ATOMIC_REQUESTS
mean what they mean in production.
"""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import dj_database_url
import psycopg
from django.contrib.contenttypes.models import ContentType
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import ConnectionHandler
from django.test.utils import setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker

from demo.guardian import Guardian

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["VENDORS", "Databases", "in_threads"]

VENDORS: Final = ("sqlite", "postgresql", "mariadb")
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "sqlite": {
        # Without IMMEDIATE a transaction that reads before it writes is refused
        # at once when another one has written.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
    },
    "postgresql": {},
    "mariadb": {"charset": "utf8mb4"},
}
TEST_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "sqlite": {},
    "postgresql": {},
    "mariadb": {"CHARSET": "utf8mb4"},
}

KEPT: Final = ("ATOMIC_REQUESTS", "AUTOCOMMIT", "TIME_ZONE")

T = TypeVar("T")


class Databases:
    """The test databases of one run; one at a time is `default`.

    Each is made when it is first wanted and stays until `close()`, so that going
    back to it costs nothing.
    """

    def __init__(self) -> None:
        self._resources = ExitStack()
        self._prepared: dict[str, BaseDatabaseWrapper] = {}
        self._current = ""

    def prepare(self, vendor: str, url: str, *, pooled: bool = False) -> None:
        """Make the test database on the server at `url`, with all tables; use it.

        `pooled`: there is a pool of transactions, whose sessions are not Django's.
        """
        if vendor in self._prepared:
            return self.use(vendor)
        settings = _settings(vendor, url)
        settings["DISABLE_SERVER_SIDE_CURSORS"] = pooled
        connections.settings[DEFAULT_DB_ALIAS] = settings
        del connections[DEFAULT_DB_ALIAS]
        made = setup_databases(
            verbosity=0,
            interactive=False,
            aliases={DEFAULT_DB_ALIAS: True},
            # No test asks for `serialized_rollback`.
            serialized_aliases=[],
        )
        self._prepared[vendor] = connections[DEFAULT_DB_ALIAS]
        self._current = vendor
        self._resources.callback(teardown_databases, made, verbosity=0)
        if pooled:
            name = str(connections[DEFAULT_DB_ALIAS].settings_dict["NAME"])
            self._resources.callback(_end_sessions, url, name)
        # Django notes the former name in the settings that are in use.
        self._resources.callback(self.use, vendor)
        return self.use(vendor)

    def prepare_sqlite(self) -> None:
        """Make the SQLite test database: a file, which all threads share."""
        folder = Path(tempfile.gettempdir()) / f"drf-apikit-{secrets.token_hex(8)}"
        self._resources.enter_context(Guardian().start(remove=[folder]))
        folder.mkdir(mode=0o700)
        self.prepare("sqlite", f"sqlite:///{folder}/test.sqlite3")

    def use(self, vendor: str) -> None:
        """Make a prepared database `default`, for every thread that begins now."""
        if vendor not in self._prepared:
            return
        wrapper = self._prepared[vendor]
        connections.settings[DEFAULT_DB_ALIAS] = wrapper.settings_dict
        connections[DEFAULT_DB_ALIAS] = wrapper
        self._current = vendor
        # It remembers primary keys by alias.
        ContentType.objects.clear_cache()

    @contextmanager
    def kept(
        self, blocker: DjangoDbBlocker, made: AbstractContextManager[T]
    ) -> Iterator[T]:
        """Keep what is made in the database of the moment for several tests.

        It ends in the same one, where the next test may have chosen another one.
        """
        vendor = self._current
        with blocker.unblock(), ExitStack() as resources:
            value = resources.enter_context(made)
            kept = resources.pop_all()
        try:
            yield value
        finally:
            current = self._current
            self.use(vendor)
            with blocker.unblock():
                kept.close()
            self.use(current)

    def close(self) -> None:
        """Remove all test databases."""
        self._resources.close()
        self._prepared.clear()


def in_threads(*calls: Callable[[], T]) -> list[T]:
    """Run the calls at the same time, each with connections of its own.

    Gives their results in order; raises the first exception of one of them.
    """
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(_closing, call) for call in calls]
    return [future.result() for future in futures]


def _closing(call: Callable[[], T]) -> T:
    try:
        return call()
    finally:
        connections.close_all()


def _end_sessions(url: str, name: str) -> None:
    """End the sessions of a pool, which would keep the database from being dropped."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = %s",
            [name],
        )


def _settings(vendor: str, url: str) -> dict[str, Any]:
    """Give complete settings; what is no property of the server stays as it is."""
    given = dj_database_url.parse(url)
    kept = {name: connections.settings[DEFAULT_DB_ALIAS][name] for name in KEPT}
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    name = given["NAME"] if vendor == "sqlite" else f"test_{given['NAME']}{worker}"
    own: dict[str, Any] = {**given, **kept}
    own["OPTIONS"] = {**OPTIONS[vendor], **given.get("OPTIONS", {})}
    own["TEST"] = {**TEST_OPTIONS[vendor], "NAME": name}
    complete: dict[str, Any] = ConnectionHandler({DEFAULT_DB_ALIAS: own}).settings
    settings: dict[str, Any] = complete[DEFAULT_DB_ALIAS]
    return settings
