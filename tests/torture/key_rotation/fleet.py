"""Processes that give out tokens, services that only verify them, and their clock."""

import itertools
import json
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import jwt

from tests.clients.servers import Asked, Reply, serving
from tests.torture.fleet.clock import Clock
from tests.torture.fleet.processes import Processes
from tests.torture.fleet.provider import AUDIENCE, SCOPE
from tests.torture.issuing.prepare import PASSWORD, PERSON
from tests.torture.server import Answer, BrokenError, Client

__all__ = [
    "HOUR",
    "LEAD",
    "LIFE",
    "LOOK",
    "Fleet",
    "Given",
    "assembled",
    "kid_of",
]

HOUR: Final = 3600
#: Seconds that an access token lives, that a key is published before it signs, and
#: after which a process has seen what others have changed.
LIFE: Final = 300
LEAD: Final = 900
LOOK: Final = 15
PROCESSES: Final = 4
SERVICES: Final = 2
#: Requests at once to one process, and connections of their own for them.
CROWD: Final = 8
FIRST: Final = 1000
JWKS: Final = "/.well-known/jwks.json"


class Issuers(Processes):
    """The processes that give out tokens, on one database."""

    application = "tests.torture.issuing.site"
    manager = "django"


@dataclass(frozen=True, slots=True)
class Given:
    """What a login or a refresh has given."""

    process: int
    access: str
    refresh: str

    @property
    def kid(self) -> str:
        """The key that has signed it."""
        return kid_of(self.access)


@dataclass(frozen=True)
class Fleet:
    """All of them, and what one asks them."""

    issuers: Issuers
    services: Processes
    clock: Clock
    password: str
    threads: ThreadPoolExecutor
    _local: Any = field(default_factory=threading.local)
    _lanes: Iterator[int] = field(default_factory=itertools.count)

    @property
    def now(self) -> float:
        """What time it is."""
        return self.clock.now

    def log_in(self, process: int) -> Given:
        """Open a session at a process."""
        credentials = {"username": PERSON, "password": self.password}
        return self._given(process, "/token", credentials)

    def refresh(self, given: Given) -> Given:
        """Refresh it where it was given."""
        return self._given(given.process, "/refresh", {"refresh": given.refresh})

    def at_issuers(self, token: str) -> list[int]:
        """Present an access token to each process of the issuer; give the statuses."""
        return self._present(self.issuers, token, "/me")

    def at_services(self, token: str) -> list[int]:
        """Present it to each of the services that only verify."""
        return self._present(self.services, token, "/things")

    def everywhere(self, token: str) -> list[int]:
        """Present it to all."""
        return self.at_issuers(token) + self.at_services(token)

    def crowded(self, token: str) -> list[int]:
        """Present it in many threads at once to each process that has not signed it."""
        numbers = [n for n in range(1, self.issuers.count) for _ in range(CROWD)]
        clients = []
        for lane, number in enumerate(numbers, FIRST):
            client = self.issuers.begin(number, lane, "/me", token)
            clients.append(client)
        for client in clients:
            client.complete()
        return [client.answer().status for client in clients]

    def long_lived(self, given: Given) -> tuple[str, str]:
        """Give a token that outlives its key, and the key."""
        answer = self.ask(self.issuers, given.process, "/signed", given.access).json()
        return answer["access"], answer["kid"]

    def published(self) -> list[set[str]]:
        """Give the key ids that each process of the issuer publishes."""
        answers = [self.ask(self.issuers, n, JWKS) for n in range(self.issuers.count)]
        return [{key["kid"] for key in a.json()["keys"]} for a in answers]

    def pids(self) -> list[int]:
        """Tell which processes these are."""
        both = (self.issuers, self.services)
        return [ps.state(number)["pid"] for ps in both for number in range(ps.count)]

    def ask(
        self,
        processes: Processes,
        number: int,
        path: str,
        token: str | None = None,
        body: Any = None,
    ) -> Answer:
        """Send one request on a connection of this thread; status 0 for no answer."""
        if not hasattr(self._local, "lane"):
            self._local.lane = next(self._lanes)
        try:
            client = processes.begin(number, self._local.lane, path, token, body)
            client.complete()
            return client.answer()
        except BrokenError as error:
            return Answer(0, {}, repr(error).encode())

    def _present(self, processes: Processes, token: str, path: str) -> list[int]:
        numbers = range(processes.count)
        return [self.ask(processes, n, path, token).status for n in numbers]

    def _given(self, process: int, path: str, body: Mapping[str, str]) -> Given:
        answer = self.ask(self.issuers, process, path, None, body)
        if answer.status != 200:
            raise RuntimeError(f"No token of process {process}: {answer}")
        said = answer.json()
        return Given(process, said["access"], said["refresh"])


def kid_of(token: str) -> str:
    """Read which key has signed a token."""
    return str(jwt.get_unverified_header(token)["kid"])


@contextmanager
def assembled(
    database: Mapping[str, Any], count: int = PROCESSES, services: int = SERVICES
) -> Iterator[Fleet]:
    """Start all of them on a database that is empty."""
    with ExitStack() as resources:
        issuers = Issuers(count, resources)
        verifiers = Processes(services, resources)
        clock = Clock(issuers.clock)
        # One clock for both.
        os.link(issuers.clock, verifiers.clock)
        front = resources.enter_context(serving(_Front(issuers).answer))
        password = secrets.token_hex(8)
        _start(issuers, database, front, password)
        verifiers.start(FLEET_ISSUER=front, FLEET_REDIS="")
        threads = resources.enter_context(ThreadPoolExecutor(2 * count))
        yield Fleet(issuers, verifiers, clock, password, threads)


def _start(
    issuers: Issuers, database: Mapping[str, Any], front: str, password: str
) -> None:
    tokens = {
        "ROTATION_PERIOD": HOUR,
        "PUBLICATION_LEAD": LEAD,
        "ACCESS_LIFETIME": LIFE,
        "SCOPES": [SCOPE],
    }
    own = {**database, "CONN_MAX_AGE": None}
    text = json.dumps({"database": own, "tokens": tokens}, default=str)
    (issuers.folder / "project.json").write_text(text)
    issuers.start(
        DJANGO_SETTINGS_MODULE="tests.torture.issuing.settings",
        ISSUER=front,
        AUDIENCE=AUDIENCE,
        **{PASSWORD: password},
    )
    issuers.run("tests.torture.issuing.prepare")


class _Front:
    """One address before all processes of the issuer, which take turns."""

    def __init__(self, issuers: Issuers) -> None:
        self._issuers = issuers
        self._turns = itertools.count()

    def answer(self, asked: Asked) -> Reply:
        """Hand a request on."""
        number = next(self._turns) % self._issuers.count
        client = Client(self._issuers.folder / f"socket-{number}")
        try:
            client.begin(asked.method, asked.path)
            client.complete()
            answer = client.answer()
        finally:
            client.close()
        kept = ("Content-Type", "Cache-Control", "ETag")
        headers = {k: v for k, v in answer.headers.items() if k in kept}
        return Reply(answer.status, answer.body, headers)
