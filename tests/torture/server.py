"""A WSGI application under several gunicorn workers, and connections to it.

All of it goes when the process that started it ends, whatever ends it.
"""

import json
import os
import random
import secrets
import signal
import socket
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from demo.guardian import Guardian

__all__ = ["SECONDS_TO_START", "Answer", "BrokenError", "Client", "Server"]

ROOT: Final = Path(__file__).resolve().parents[2]
SECONDS_TO_START: Final = 60.0
SECONDS_FOR_ANSWER: Final = 60.0
LOOK_SECONDS: Final = 0.01
#: How much of a log is worth showing.
LOGGED: Final = 10_000
KEPT_VARIABLES: Final = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

#: Each worker makes a file that bears its process id.
GUNICORN: Final = """
import pathlib

preload_app = True
worker_class = "gthread"
keepalive = 600
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


class Client:
    """A connection for one request after the other.

    A request may be begun first, by many clients, and completed later: the server
    then gets all of them at the same moment.
    """

    def __init__(self, path: Path) -> None:
        self._connection = _UnixConnection(path)

    def begin(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a request but for the end of its header.

        Raises:
            BrokenError: as all of a client's methods do.

        """
        given = {"Content-Type": "application/json", **(headers or {})}
        content = None if body is None else json.dumps(body).encode()
        try:
            self._connection.request(method, path, content, given)
        except OSError as error:
            raise BrokenError(repr(error)) from error

    def complete(self) -> None:
        """Send the rest."""
        try:
            self._connection.complete()
        except OSError as error:
            raise BrokenError(repr(error)) from error

    def answer(self) -> Answer:
        """Wait for the answer."""
        try:
            response = self._connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())
        except (OSError, HTTPException) as error:
            raise BrokenError(repr(error)) from error

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


class Server(ABC):
    """gunicorn with some application, in a folder of its own; a context manager."""

    application: ClassVar[str]
    #: A path that answers 200 once the application is there.
    health: ClassVar[str]
    workers: ClassVar[int] = 2
    threads: ClassVar[int] = 8

    def __init__(self) -> None:
        folder = f"drf-apikit-torture-{secrets.token_hex(6)}"
        self.folder = Path(tempfile.gettempdir()).resolve() / folder
        self._keeper = Guardian()
        self._gunicorn = Guardian(grace=2)
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            resources.enter_context(self._keeper.start(remove=[self.folder]))
            (self.folder / "workers").mkdir(mode=0o700, parents=True)
            self.prepare(resources)
            self._serve(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._resources.close()

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Give the variables that the application wants."""

    @abstractmethod
    def prepare(self, resources: ExitStack) -> None:
        """Do what has to be done before gunicorn starts."""

    def client(self) -> Client:
        """Give a new connection, which its user closes."""
        return Client(self.folder / "socket")

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
        client = self.client()
        try:
            client.begin(method, path, body, headers)
            client.complete()
            return client.answer()
        finally:
            client.close()

    def kill_a_worker(self, rng: random.Random) -> None:
        """Kill one of the workers; gunicorn starts another one."""
        deadline = time.monotonic() + SECONDS_TO_START
        while not (living := sorted((self.folder / "workers").iterdir())):
            self._check(deadline)
        chosen = rng.choice(living)
        # First, so that no number is used twice: the system gives it out again.
        chosen.unlink()
        os.kill(int(chosen.name), signal.SIGKILL)

    def log(self) -> str:
        """Give what the commands and the workers have written."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, guardian: Guardian, words: Sequence[str]) -> None:
        """Start a Python module by its name, with arguments."""
        environment = {
            name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ
        }
        environment |= {
            "ALLOWED_HOSTS": "localhost",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "example_project"), str(ROOT)]),
            "SECRET_KEY": secrets.token_hex(32),
            "no_proxy": "*",
            **self.environment(),
        }
        with (self.folder / "log").open("ab") as log:
            guardian.start(
                [sys.executable, "-m", *words],
                env=environment,
                cwd=self.folder,
                log=log,
                outlived_by=self._keeper,
            )

    def _serve(self, resources: ExitStack) -> None:
        (self.folder / "gunicorn.conf.py").write_text(GUNICORN)
        words = ["gunicorn", self.application, "--bind", "unix:socket"]
        words += ["--workers", str(self.workers), "--threads", str(self.threads)]
        words += ["--worker-tmp-dir", str(self.folder), "--log-level", "warning"]
        resources.enter_context(self._gunicorn)
        self.start(self._gunicorn, words)
        deadline = time.monotonic() + SECONDS_TO_START
        while not self._answers():
            self._check(deadline)

    def _check(self, deadline: float) -> None:
        """Wait a little, unless there is nothing to wait for."""
        if self._gunicorn.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"The server is not there: {self.log()[-LOGGED:]}")
        time.sleep(LOOK_SECONDS)

    def _answers(self) -> bool:
        try:
            return self.send("GET", self.health).status == 200
        except BrokenError:
            return False


class _UnixConnection(HTTPConnection):
    """HTTP over the socket of gunicorn: no port that another could take."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=SECONDS_FOR_ANSWER)
        self._path = path
        self._held = b""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))

    def send(self, data: Any) -> None:
        """Hold back the last byte of the header, and whatever follows it."""
        if self._held:
            self._held += data
            return
        if self.sock is None:
            self.connect()
        self.sock.sendall(data[:-1])
        self._held = data[-1:]

    def complete(self) -> None:
        self.sock.sendall(self._held)
        self._held = b""
