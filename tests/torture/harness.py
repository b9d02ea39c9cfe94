"""A ledger of several gunicorn workers on a PostgreSQL database of its own.

Tokens come from an issuer in this process, whose keys the workers fetch over
loopback. All of it goes when the process ends, whatever ends it.
"""

import argparse
import json
import os
import random
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.sql import SQL, Identifier

from demo.guardian import Guardian
from drf_apikit.testing import InMemoryIssuer
from ledger.spec import People, Person
from tests.databases import VENDORS
from tests.services import start

__all__ = ["Answer", "BrokenError", "Ledger", "conclude", "options", "running"]

ROOT: Final = Path(__file__).resolve().parents[2]
AUDIENCE: Final = "https://ledger.test"
OPERATOR: Final = "operator"
WORKERS: Final = 2
THREADS: Final = 8
SECONDS_TO_START: Final = 60.0
SECONDS_FOR_ANSWER: Final = 20.0
LOOK_SECONDS: Final = 0.01
KEPT_VARIABLES: Final = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

#: Each worker makes a file that bears its process id.
GUNICORN: Final = """
import pathlib

preload_app = True
worker_class = "gthread"
control_socket_disable = True


def post_fork(server, worker):
    pathlib.Path("workers", str(worker.pid)).touch()
"""


class BrokenError(Exception):
    """The connection ended before the answer was there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)


class Ledger:
    """A running ledger with seeded accounts; a context manager.

    `postgresql` is the URL of a server on which a database can be made.
    """

    def __init__(self, postgresql: str) -> None:
        self._server = postgresql
        self._database = f"torture_{secrets.token_hex(6)}"
        parts = urlsplit(postgresql)
        place = (parts.scheme, parts.netloc, f"/{self._database}", parts.query, "")
        self.url = urlunsplit(place)
        folder = f"drf-apikit-torture-{secrets.token_hex(6)}"
        self._folder = Path(tempfile.gettempdir()).resolve() / folder
        self._keeper = Guardian()
        self._gunicorn = Guardian(grace=2)
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            resources.enter_context(self._keeper.start(remove=[self._folder]))
            (self._folder / "workers").mkdir(mode=0o700, parents=True)
            self._administer("CREATE DATABASE {}")
            resources.callback(self._administer, "DROP DATABASE {} WITH (FORCE)")
            self._issuer = resources.enter_context(_issuer())
            self._seed()
            self._serve(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._resources.close()

    def authorization(self) -> str:
        """Give an Authorization header of the staff, good for an hour."""
        return self._issuer.authorization(
            OPERATOR, scope="ledger:read ledger:write", lifetime=3600
        )

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request over a connection of its own.

        Raises:
            BrokenError: no whole answer came.

        """
        given = {"Content-Type": "application/json", **(headers or {})}
        content = None if body is None else json.dumps(body)
        connection = _UnixConnection(self._folder / "socket")
        try:
            connection.request(method, path, content, given)
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())
        except (OSError, HTTPException) as error:
            raise BrokenError(repr(error)) from error
        finally:
            connection.close()

    def kill_a_worker(self, rng: random.Random) -> None:
        """Kill one of the workers; gunicorn starts another one."""
        deadline = time.monotonic() + SECONDS_TO_START
        while not (living := sorted((self._folder / "workers").iterdir())):
            self._check(deadline)
        chosen = rng.choice(living)
        # First, so that no number is used twice: the system gives it out again.
        chosen.unlink()
        os.kill(int(chosen.name), signal.SIGKILL)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the database itself."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(SQL(sql)).fetchall()

    def log(self) -> str:
        """Give what the commands and the workers have written."""
        path = self._folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(SQL(statement).format(Identifier(self._database)))

    def _seed(self) -> None:
        operator = Person(username=OPERATOR, subjects=[OPERATOR], staff=True)
        people = People(issuer=self._issuer.issuer, persons=[operator])
        (self._folder / "people.json").write_text(people.to_json())
        words = ["django", "seed_ledger", "--rows", "1", "--people", "people.json"]
        with Guardian() as guardian:
            self._start(guardian, words)
            if guardian.wait(SECONDS_TO_START):
                raise RuntimeError(f"Seeding failed: {self.log()}")

    def _serve(self, resources: ExitStack) -> None:
        (self._folder / "gunicorn.conf.py").write_text(GUNICORN)
        words = ["gunicorn", "ledger.wsgi", "--bind", "unix:socket"]
        words += ["--workers", str(WORKERS), "--threads", str(THREADS)]
        words += ["--worker-tmp-dir", str(self._folder), "--log-level", "warning"]
        resources.enter_context(self._gunicorn)
        self._start(self._gunicorn, words)
        deadline = time.monotonic() + SECONDS_TO_START
        while not self._answers():
            self._check(deadline)

    def _check(self, deadline: float) -> None:
        """Wait a little, unless there is nothing to wait for."""
        if self._gunicorn.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"The ledger is not there: {self.log()}")
        time.sleep(LOOK_SECONDS)

    def _answers(self) -> bool:
        try:
            return self.send("GET", "/healthz").status == 200
        except BrokenError:
            return False

    def _start(self, guardian: Guardian, words: Sequence[str]) -> None:
        environment = {
            name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ
        }
        environment |= {
            "ALLOWED_HOSTS": "localhost",
            "DATABASE_URL": self.url,
            "DJANGO_SETTINGS_MODULE": "ledger.settings",
            "INSECURE_HTTP": "1",
            "OIDC_AUDIENCE": AUDIENCE,
            "OIDC_ISSUER": self._issuer.issuer,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "example_project"), str(ROOT)]),
            "SECRET_KEY": secrets.token_hex(32),
            "no_proxy": "*",
        }
        with (self._folder / "log").open("ab") as log:
            guardian.start(
                [sys.executable, "-m", *words],
                env=environment,
                cwd=self._folder,
                log=log,
                outlived_by=self._keeper,
            )


class _UnixConnection(HTTPConnection):
    """HTTP over the socket of gunicorn: no port that another could take."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=SECONDS_FOR_ANSWER)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@contextmanager
def running(url: str | None = None) -> Iterator[Ledger]:
    """Start a ledger on a PostgreSQL server, by default one of its own."""
    with ExitStack() as resources:
        if url is None:
            service = start("postgresql")
            resources.callback(service.stop)
            url = service.url
        yield resources.enter_context(Ledger(url))


def options(
    description: str | None, *, databases: bool = False, **numbers: int
) -> argparse.Namespace:
    """Read the command line: `--seed`, and the given numbers with their defaults.

    With `databases` there is `--database`, once for each of them; without it all.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if databases:
        parser.add_argument("--database", action="append", choices=VENDORS)
    for name, default in {**numbers, "seed": secrets.randbelow(10**6)}.items():
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N")
    return parser.parse_args()


def conclude(name: str, counts: Mapping[str, int], wrong: Mapping[str, int]) -> int:
    """Print the line of a run; give the exit code, 1 if anything went wrong."""
    numbers = ", ".join(f"{n} {what}" for what, n in {**counts, **wrong}.items())
    verdict = "FAILED" if any(wrong.values()) else "ok"
    print(f"{name}: {verdict}: {numbers}", flush=True)
    return int(any(wrong.values()))


@contextmanager
def _issuer() -> Iterator[InMemoryIssuer]:
    """Serve discovery and keys on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(documents.get(self.path)).encode()
            self.send_response(200 if self.path in documents else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        place = f"http://127.0.0.1:{server.server_port}"
        issuer = InMemoryIssuer(place, AUDIENCE)
        documents: dict[str, Any] = {
            "/.well-known/openid-configuration": {
                "issuer": place,
                "jwks_uri": f"{place}/keys",
            },
            "/keys": issuer.jwks,
        }
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
