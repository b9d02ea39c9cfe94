"""Many workers, the token endpoint and the API that they call, and their clock."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.clients import workers
from tests.clients.servers import Api, Asked, Endpoint, Reply, serving
from tests.torture.fleet import clocked
from tests.torture.fleet.clock import Clock
from tests.torture.fleet.redis_server import RedisServer

__all__ = ["LIFE", "LOCK", "MOST", "RENEWED", "Crowd", "Held", "Told", "assembled"]

#: Seconds that a token lives, after which it is renewed, and for which a lock is.
LIFE: Final = 1000
RENEWED: Final = 800
LOCK: Final = 31
#: Tokens of a run.
MOST: Final = 100_000
REDIS: Final = "django.core.cache.backends.redis.RedisCache"
DUMMY: Final = "django.core.cache.backends.dummy.DummyCache"
ROOT: Final = Path(__file__).resolve().parents[3]
#: Seconds after which the run gives up.
_SECONDS: Final = 90.0
_TIMEOUT: Final = 30


@dataclass(frozen=True)
class Told:
    """What a worker says of a call."""

    status: int
    seconds: float
    token: str = ""
    error: str = ""


class Held:
    """Holds the first request that comes to the endpoint, until it is let go."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._arrived, self._gone = threading.Event(), threading.Event()
        self._first = threading.Lock()
        self._pid = 0
        self._endpoint = endpoint
        endpoint.before = self._hold

    @property
    def pid(self) -> int:
        """Who has asked; waits for that."""
        assert self._arrived.wait(_SECONDS)
        return self._pid

    def let_go(
        self, after: float = 0.0, before: Callable[[], object] = lambda: None
    ) -> None:
        """Let it go after so many seconds, when something was done."""
        self._gone.wait(after)
        before()
        self._endpoint.mend()
        self._gone.set()

    def _hold(self, asked: Asked) -> Reply | None:
        if self._first.acquire(blocking=False):
            self._pid = int(asked.headers[workers.PID])
            self._arrived.set()
            self._gone.wait(_SECONDS)
        return None


class Crowd:
    """The workers, and what they talk to."""

    def __init__(
        self, endpoint: Endpoint, api: Api, redis: RedisServer, *, shared: bool
    ) -> None:
        self.endpoint, self.api, self.redis = endpoint, api, redis
        self._shared = shared
        self._files: dict[int, Any] = {}
        self._clock: Clock | None = None
        self._log: Path | None = None
        self._given = 0

    @property
    def count(self) -> int:
        """How many workers there are."""
        return len(self._files)

    def start(self, count: int, resources: ExitStack) -> None:
        """Start so many workers, and return when all are there."""
        folder = Path(resources.enter_context(TemporaryDirectory()))
        self._clock = Clock(folder / "clock", self.redis)
        path = folder / "socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.settimeout(_SECONDS)
            listener.bind(str(path))
            listener.listen(count)
            self._fork(folder, [str(path), str(count)], resources)
            for _ in range(count):
                connection, _ = listener.accept()
                connection.settimeout(_SECONDS)
                resources.enter_context(connection)
                file = resources.enter_context(connection.makefile("rw"))
                self._files[int(file.readline())] = file

    def forget(self) -> None:
        """Begin a phase: nobody has a token, and the endpoint gives some."""
        # No token lives so long, and no failure is remembered.
        self.advance(2 * LIFE)
        self.endpoint.mend()
        self.redis.empty()
        self._given = self.endpoint.requests
        self.api.good = {f"token-{number}" for number in range(1, MOST)}

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass for all."""
        assert self._clock is not None
        self._clock.advance(seconds)

    def requests(self) -> int:
        """Give how often a token was asked for since this was asked before."""
        before, self._given = self._given, self.endpoint.requests
        return self._given - before

    def call(self, pids: Sequence[int] | None = None) -> list[Told]:
        """Let workers call the API, all at the same time."""
        self.begin(pids)
        return self.end(pids)

    def begin(self, pids: Sequence[int] | None = None, what: str = "call") -> None:
        """Send workers off."""
        for pid in self._files if pids is None else pids:
            print(what, file=self._files[pid], flush=True)

    def end(self, pids: Sequence[int] | None = None) -> list[Told]:
        """Wait for workers."""
        chosen = list(self._files if pids is None else pids)
        return [Told(**json.loads(self._files[pid].readline())) for pid in chosen]

    def settle(self) -> None:
        """Wait until no worker does anything in the background."""
        self.begin(what="settle")
        assert {told.status for told in self.end()} == {200}

    def log(self) -> str:
        """Give what the workers have logged."""
        return self._log.read_text() if self._log else ""

    def kill(self, pid: int) -> None:
        """Let a worker die as by `kill -9`."""
        os.kill(pid, signal.SIGKILL)
        self._files.pop(pid).close()

    def _fork(self, folder: Path, words: list[str], resources: ExitStack) -> None:
        clock = str(folder / "clock")
        command = [sys.executable, clocked.__file__, clock, workers.__name__]
        self._log = folder / "log"
        log = resources.enter_context(self._log.open("w"))
        parent = subprocess.Popen(
            [*command, *words],
            stdin=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            text=True,
        )
        # Closed before: then the workers end, and the parent after them.
        resources.callback(parent.wait, _SECONDS)
        assert parent.stdin
        with parent.stdin as file:
            file.write(json.dumps(self._settings()))

    def _settings(self) -> dict[str, Any]:
        cache = {
            "BACKEND": REDIS if self._shared else DUMMY,
            "LOCATION": self.redis.url,
        }
        entry = {
            "TOKEN_ENDPOINT": f"{self.endpoint.url}/token",
            "CLIENT_ID": "worker",
            "CLIENT_SECRET": secrets.token_hex(16),
            "INSECURE_LOOPBACK_HTTP": True,
        }
        transport = f"{workers.__name__}.{workers.send_with_pid.__name__}"
        sections = {
            "CLIENTS": {"CREDENTIALS": {workers.NAME: entry}, "TIMEOUT": _TIMEOUT},
            "AUTHENTICATION": {"FETCH_TIMEOUT": 30, "TRANSPORT": transport},
        }
        return {
            "SECRET_KEY": secrets.token_hex(32),
            "CACHES": {"default": cache},
            "DRF_APIKIT": sections,
            workers.PLACE: self.api.url,
        }


@contextmanager
def assembled(count: int, *, shared: bool = True) -> Iterator[Crowd]:
    """Run so many workers, a Redis, a token endpoint and an API.

    Where nothing is `shared` the Redis is for nobody.
    """
    endpoint, api = Endpoint("", LIFE), Api("")
    with ExitStack() as resources:
        endpoint.url = resources.enter_context(serving(endpoint.answer))
        api.url = resources.enter_context(serving(api.answer))
        crowd = Crowd(endpoint, api, RedisServer(resources), shared=shared)
        crowd.start(count, resources)
        yield crowd
