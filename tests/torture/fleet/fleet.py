"""The conductor: processes, Redis, provider and clock as one."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from tests.torture.fleet.clock import Clock
from tests.torture.fleet.processes import Processes
from tests.torture.fleet.provider import (
    DISCOVERY,
    GOOD,
    HANGS,
    JWKS,
    Key,
    Provider,
    providing,
)
from tests.torture.fleet.redis_server import RedisServer
from tests.torture.server import Answer, BrokenError, Client

__all__ = ["ATTEMPTS", "FETCH_TIMEOUT", "PROCESSES", "Fleet", "Told", "assembled"]

PROCESSES: Final = 4
#: The default of the setting: seconds after which a fetch has ended in any case.
FETCH_TIMEOUT: Final = 4
#: What the API counts once for each attempt to fetch.
ATTEMPTS: Final = ("authentication.keys_fetched", "authentication.keys_fetch_failed")


@dataclass(frozen=True, slots=True)
class Told:
    """What one process has answered; status 0 for no whole answer."""

    process: int
    token: str
    answer: Answer

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self.answer.status


@dataclass(frozen=True)
class Fleet:
    """A running fleet and all that is around it."""

    processes: Processes
    redis: RedisServer
    clock: Clock
    provider: Provider

    def token(self, key: Key | None = None) -> str:
        """Sign a token with a key, or with the last one that is published."""
        return (key or self.provider.keys[-1]).token(self.provider.url, self.clock.now)

    def ask(
        self, *tokens: str, lanes: int = 1, of: Sequence[int] | None = None
    ) -> list[Told]:
        """Send each token to each process, so many times, all at the same moment."""
        numbers = range(self.processes.count) if of is None else of
        return self.deal([(n, token) for n in numbers for token in tokens * lanes])

    def deal(
        self, requests: Sequence[tuple[int, str]], first_lane: int = 0
    ) -> list[Told]:
        """Send tokens to processes, all at the same moment.

        What is sent meanwhile needs other connections: lanes before the first one.
        """
        begun = self._begin(requests, first_lane)
        for *_, client in begun:
            _complete(client)
        return self._listen(begun)

    def _begin(
        self, requests: Sequence[tuple[int, str]], first_lane: int
    ) -> list[tuple[int, str, Client]]:
        """Send requests but for their ends."""
        lanes = dict.fromkeys(range(self.processes.count), first_lane)
        begun = []
        for number, token in requests:
            client = self.processes.begin(number, lanes[number], "/things", token)
            lanes[number] += 1
            begun.append((number, token, client))
        return begun

    def _listen(self, begun: Sequence[tuple[int, str, Client]]) -> list[Told]:
        """Wait for all the answers."""
        told = [Told(n, token, _answer(client)) for n, token, client in begun]
        for number in {each.process for each in told if not each.status}:
            self.processes.hang_up(number)
        return told

    def settle(self) -> None:
        """Wait until nothing goes on in the background; what hangs is over then."""
        self.processes.settle(self.provider.cut)

    def advance(self, seconds: float) -> None:
        """Let time pass, once all is done that would be done at this moment."""
        # What hangs may go on to hang for a time that is shorter than its limit.
        if self.provider.state != HANGS or seconds >= FETCH_TIMEOUT:
            self.settle()
        self.clock.advance(seconds)

    def fetches(self, since: float) -> list[float]:
        """Tell when the keys were asked for."""
        return self.provider.asked(JWKS, since)

    def attempts(self, since: float) -> list[float]:
        """Tell when a process has tried to fetch, whether or not anybody heard it."""
        if self.provider.state == HANGS:
            # What is counted is the end. It begins with the keys, if it is known
            # where they are.
            return self.fetches(since) or self.provider.asked(DISCOVERY, since)
        noted = self.processes.notes()
        times = [float(when) for when, _, event in noted if event in ATTEMPTS]
        return sorted(when for when in times if when >= since)

    def make_cold(self) -> None:
        """Start all workers anew, with an empty cache, an hour later."""
        self.provider.turn(GOOD)
        self.settle()
        self.processes.kill(range(self.processes.count))
        self.redis.empty()
        self.clock.advance(3600)

    def warm_up(self) -> float:
        """Start anew, and let all have the keys; give the time of that."""
        self.make_cold()
        self.ask(self.token(), lanes=2)
        self.settle()
        return self.clock.now


@contextmanager
def assembled(count: int = PROCESSES, *, shared: bool = True) -> Iterator[Fleet]:
    """Start a fleet; all of it is gone in the end.

    Without `shared` each process has a cache of its own.
    """
    with ExitStack() as resources:
        provider = resources.enter_context(providing())
        redis = RedisServer(resources)
        processes = Processes(count, resources)
        clock = Clock(processes.clock, redis)
        provider.now = lambda: clock.now
        processes.start(
            FLEET_ISSUER=provider.url, FLEET_REDIS=redis.url if shared else ""
        )
        yield Fleet(processes, redis, clock, provider)


def _complete(client: Client) -> None:
    try:
        client.complete()
    except BrokenError:
        # Whoever waits for the answer sees it too.
        client.close()


def _answer(client: Client) -> Answer:
    try:
        return client.answer()
    except BrokenError as error:
        return Answer(0, {}, repr(error).encode())
