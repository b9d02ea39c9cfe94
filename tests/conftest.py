"""The ground of all tests: databases, servers, and the compliance report.

- `database`: the test runs on SQLite, PostgreSQL and MariaDB in turn. Combine it
  with the `django_db` marker as usual. All other tests run on SQLite.
- `atomic_requests`: each request in a transaction, on the current database.
- `everywhere`: `database`, without and with `atomic_requests`.
- `redis_url`, `redis_cache`: a real Redis, and Django's default cache on it.
- `compliance(spec, section)`: the test proves that part of a specification;
  `--compliance` prints them all with their outcome.

The whole suite runs on all cores, file by file; a part of it runs in one process
(`-n 0` has the whole do so as well). Each process has servers of its own.

Servers start when they are first wanted. One that is missing skips the tests that
want it, with one line in the summary; with CI=true these tests fail. With
PGBOUNCER=1 the PostgreSQL of `database` is behind a PgBouncer that pools
transactions, which has to be there.
"""

import gc
import os
import re
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache
from django.db import DEFAULT_DB_ALIAS, connections
from django_redis import get_redis_connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker

from tests.databases import VENDORS, Databases
from tests.services import (
    Service,
    UnavailableError,
    require_mariadb_driver,
    start,
)

if TYPE_CHECKING:
    from pytest_django import Settings

SPEC: Final = re.compile(r"RFC \d+|draft-[a-z0-9-]+|OIDC \S.*")
SECTION: Final = re.compile(r"(\d+|[A-Z])(\.\d+)*")
COMPLIANCE: Final = "compliance"
MISSING: Final = "drf_apikit_missing"
#: Options that ask for a part of the suite, or for a look at it.
PARTS: Final = ("keyword", "markexpr", "deselect", "lf", "failedfirst", "collectonly")
PGBOUNCER: Final = "pgbouncer"


# Repeatable: each run draws the same examples, however slow the machine is.
hypothesis_settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("repeatable")


class Services:
    """The servers of this run, and the reasons for those that are missing."""

    def __init__(self) -> None:
        self._running: dict[str, Service] = {}
        self.missing: dict[str, str] = {}

    def url(self, name: str) -> str:
        """Give the URL of a server, which starts now if it does not run yet.

        Skips the test when the server is missing; fails it in CI.
        """
        if name not in self._running and name not in self.missing:
            try:
                self._running[name] = start(name)
            except UnavailableError as error:
                self.missing[name] = str(error)
        if reason := self.missing.get(name):
            self.refuse(name, reason)
        return self._running[name].url

    def require_driver(self, vendor: str) -> None:
        """Skip the test, or fail it in CI, if Django lacks what MySQL's class needs."""
        try:
            if vendor == "mysql":
                require_mariadb_driver()
        except UnavailableError as error:
            self.refuse("mariadb", str(error))

    def refuse(self, name: str, reason: str) -> NoReturn:
        """Skip or fail the test for want of a server."""
        self.missing[name] = reason
        # PgBouncer is never missed by accident: it was asked for.
        refuse = pytest.fail if in_ci() or name == PGBOUNCER else pytest.skip
        refuse(f"{name}: {reason}")

    def stop(self) -> None:
        """Stop all."""
        while self._running:
            self._running.popitem()[1].stop()


SERVICES: Final = pytest.StashKey[Services]()
DATABASES: Final = pytest.StashKey[Databases]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--compliance",
        action="store_true",
        help="print which test proves which section of a specification",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Who is started in the background is deaf to Ctrl-C, and so are its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line(
        "markers",
        'compliance(spec, section): proves that section, as in "RFC 9110", "13.1.2"',
    )
    config.stash[SERVICES] = Services()
    config.stash[DATABASES] = Databases()


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[SERVICES].stop()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Leave it to xdist for the whole suite, and else use this process alone."""
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    is_part = any(config.getoption(name, None) for name in PARTS)
    return None if is_whole and not is_part else 0


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Learn what a process has missed; one that has died tells nothing."""
    missing = getattr(node, "workeroutput", {}).get(MISSING, {})
    node.config.stash[SERVICES].missing.update(missing)


def pytest_sessionfinish(session: pytest.Session) -> None:
    told = getattr(session.config, "workeroutput", {})
    told[MISSING] = session.config.stash[SERVICES].missing


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Let nothing be looked through: what is collected stays till the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in item.iter_markers(COMPLIANCE):
            item.user_properties.append((COMPLIANCE, claim(item, marker)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Go back to SQLite for the tests between those that ask for a database."""
    callspec = getattr(item, "callspec", None)
    vendor = callspec.params.get("database") if callspec else None
    item.config.stash[DATABASES].use(vendor or "sqlite")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    for name, reason in config.stash[SERVICES].missing.items():
        terminalreporter.write_line(f"{name} is missing: {reason}", yellow=True)
    if config.getoption(COMPLIANCE):
        terminalreporter.section("compliance")
        for row in sorted(_rows(terminalreporter), key=_by_section):
            terminalreporter.write_line("  ".join(row))


@pytest.fixture(scope="module", autouse=True)
def _collected() -> None:
    """Take what is there before a file's tests for what stays till the end.

    Thousands of tests with their reports are slow to look through again and again.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def services(pytestconfig: pytest.Config) -> Services:
    """Give the servers of this run: `services.url("postgresql")`."""
    return pytestconfig.stash[SERVICES]


@pytest.fixture(scope="session")
def django_db_setup(
    pytestconfig: pytest.Config, django_db_blocker: DjangoDbBlocker
) -> Iterator[Databases]:
    """Make the SQLite database; the others when `database` wants them."""
    databases = pytestconfig.stash[DATABASES]
    with django_db_blocker.unblock():
        databases.prepare_sqlite()
    yield databases
    with django_db_blocker.unblock():
        databases.close()


@pytest.fixture(scope="session", params=VENDORS)
def database(
    request: pytest.FixtureRequest,
    django_db_setup: Databases,
    django_db_blocker: DjangoDbBlocker,
    services: Services,
) -> str:
    """Run the test on each database; gives "sqlite", "postgresql" or "mariadb"."""
    vendor: str = request.param
    if vendor == "sqlite":
        django_db_setup.use(vendor)
    else:
        pooled = vendor == "postgresql" and behind_pgbouncer()
        url = services.url(PGBOUNCER if pooled else vendor)
        with django_db_blocker.unblock():
            django_db_setup.prepare(vendor, url, pooled=pooled)
    return vendor


@pytest.fixture
def atomic_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put each request in a transaction (ATOMIC_REQUESTS)."""
    settings = connections.settings[DEFAULT_DB_ALIAS]
    monkeypatch.setitem(settings, "ATOMIC_REQUESTS", True)


@pytest.fixture(params=["autocommit", "atomic_requests"])
def everywhere(request: pytest.FixtureRequest, database: str) -> str:
    """Run the test on each database, without and with ATOMIC_REQUESTS."""
    if request.param == "atomic_requests":
        request.getfixturevalue("atomic_requests")
    return database


@pytest.fixture(scope="session")
def redis_url(services: Services) -> str:
    """Give the URL of a Redis whose contents belong to the tests."""
    return services.url("redis")


@pytest.fixture
def redis_cache(redis_url: str, settings: "Settings") -> Iterator[BaseCache]:
    """Point Django's default cache at an empty Redis."""
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": redis_url,
        }
    }
    cache.clear()
    yield cache
    get_redis_connection("default").connection_pool.disconnect()


def in_ci() -> bool:
    """Tell whether a missing server is a failure."""
    return _is_set("CI")


def behind_pgbouncer() -> bool:
    """Tell whether the tests reach PostgreSQL through a PgBouncer."""
    return _is_set("PGBOUNCER")


def claim(item: pytest.Item, marker: pytest.Mark) -> tuple[str, str]:
    match marker.args:
        case (str(spec), str(section)) if (
            not marker.kwargs and SPEC.fullmatch(spec) and SECTION.fullmatch(section)
        ):
            return spec, section
    raise pytest.UsageError(
        f"{item.nodeid}: compliance takes a specification and a section, as in"
        f' compliance("RFC 9110", "13.1.2"), not {marker.args!r} {marker.kwargs!r}.'
    )


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").lower() in {"1", "true"}


def _rows(reporter: pytest.TerminalReporter) -> Iterator[tuple[str, str, str, str]]:
    for outcome, reports in reporter.stats.items():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == COMPLIANCE and outcome:
                    spec, section = value
                    yield spec, section, outcome, report.nodeid


def _by_section(row: tuple[str, str, str, str]) -> tuple[object, ...]:
    """Sort 8.9 before 8.10, and RFC 7807 before RFC 9110."""
    spec, section, _outcome, test = row
    parts = [part.zfill(6) for part in re.split(r"[ .]", f"{spec}.{section}")]
    return (*parts, test)
