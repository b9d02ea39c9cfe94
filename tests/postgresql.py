"""A PostgreSQL in a sandbox, which can crash and come back; a PgBouncer before it."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import psycopg

from tests.sandbox import Sandbox

__all__ = ["DURABLE", "FAST", "Postgresql", "serve_pgbouncer"]

#: Nothing that has to outlive the machine, and no waiting for its disk.
FAST: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
#: What was committed stays so through a crash.
DURABLE: Final = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
if sys.platform == "linux":
    # After a crash one call instead of one for each file, which takes seconds.
    DURABLE["recovery_init_sync_method"] = "syncfs"

OPTIONS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    # In the folder, and so never left behind in the machine's shared memory.
    "dynamic_shared_memory_type": "mmap",
}
# Another program may have taken the port, and say nothing.
ANSWER_SECONDS: Final = 2
CRASH_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.001
#: Fewer connections than clients, so that one has many users in turn.
PGBOUNCER: Final = """
[databases]
* = host=127.0.0.1 port={server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {accounts}
pool_mode = transaction
max_client_conn = 500
default_pool_size = 20
"""


class Postgresql:
    """One server, on the same data and port each time that it starts."""

    def __init__(
        self, sandbox: Sandbox, binaries: Path, options: Mapping[str, str] = FAST
    ) -> None:
        self._sandbox = sandbox
        self._data = sandbox.folder / "data"
        words = {**OPTIONS, **options}
        self._command: list[str | Path] = [binaries / "postgres", "-D", self._data]
        self._options = [f"--{name}={value}" for name, value in words.items()]
        self.port = 0
        password = sandbox.write("password", sandbox.password)
        sandbox.run(
            [
                binaries / "initdb",
                *("-D", self._data, "-U", "postgres", "-E", "UTF8", "--locale=C", "-N"),
                *("--auth=scram-sha-256", f"--pwfile={password}"),
            ]
        )

    @property
    def url(self) -> str:
        """Where it answers."""
        return _url(self._sandbox, self.port)

    def start(self) -> None:
        """Start it, and return when it answers; after a crash, on the same port."""

        def command(free: int) -> list[str | Path]:
            self.port = self.port if crashed else free
            return [*self._command, "-p", str(self.port), *self._options]

        crashed = bool(self.port)
        self._sandbox.serve(
            command, lambda _free: _answers(self.url), stop_signal="INT"
        )

    def crash(self) -> None:
        """Stop it at once, as `pg_ctl stop -m immediate`: no connection is heeded."""
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        deadline = time.monotonic() + CRASH_SECONDS
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
            while time.monotonic() < deadline:
                os.kill(pid, 0)
                time.sleep(LOOK_SECONDS)
            raise RuntimeError("PostgreSQL does not stop.")


def serve_pgbouncer(sandbox: Sandbox, program: str, server: Postgresql) -> str:
    """Start a PgBouncer in transaction pooling before the server; give its URL."""
    account = f'"postgres" "{sandbox.password}"\n'
    accounts = sandbox.write("accounts.txt", account)

    def command(port: int) -> list[str | Path]:
        settings = PGBOUNCER.format(server=server.port, port=port, accounts=accounts)
        return [program, sandbox.write(f"pgbouncer-{port}.ini", settings)]

    def answers(port: int) -> bool:
        return _answers(_url(sandbox, port))

    return _url(sandbox, sandbox.serve(command, answers, stop_signal="INT"))


def _url(sandbox: Sandbox, port: int) -> str:
    return f"postgres://postgres:{sandbox.password}@127.0.0.1:{port}/postgres"


def _answers(url: str) -> bool:
    with (
        suppress(psycopg.OperationalError),
        psycopg.connect(url, connect_timeout=ANSWER_SECONDS),
    ):
        return True
    return False
