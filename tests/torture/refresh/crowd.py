"""Clients that present refresh tokens at the same moment."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from time import perf_counter
from typing import Any, Final, Self

from tests.torture.issuing.project import Project
from tests.torture.server import Answer, BrokenError, Client

__all__ = ["CLIENTS", "Crowd", "Race"]

CLIENTS: Final = 50
SECONDS: Final = 60.0
MILLISECONDS: Final = 1000


@dataclass(frozen=True, slots=True)
class Race:
    """The answers, in the order of the texts, and when each request was whole."""

    answers: list[Answer]
    released: list[float]

    @property
    def statuses(self) -> Counter[int]:
        """How many answers have which status; 0: no whole answer."""
        return Counter(answer.status for answer in self.answers)

    @property
    def successors(self) -> list[str]:
        """The refresh tokens that were given."""
        return [a.json()["refresh"] for a in self.answers if a.status == 200]

    @property
    def milliseconds(self) -> float:
        """From the first whole request to the last one."""
        return MILLISECONDS * (max(self.released) - min(self.released))


class Crowd:
    """Threads with a connection each; a context manager.

    A server has all of a request but the end of its header before the first one is
    whole: those ends go when all are at the barrier.
    """

    def __init__(self, count: int = CLIENTS) -> None:
        self.count = count
        # The one who sends them off is there as well.
        self._barrier = Barrier(count + 1)
        self._threads = ThreadPoolExecutor(count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._barrier.abort()
        self._threads.shutdown()

    def refresh(
        self,
        project: Project,
        texts: Sequence[str],
        prefix: str = "",
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Race:
        """Present these texts, one for each client, all at once."""
        path = f"{prefix}/refresh"
        asked = [
            self._threads.submit(self._ask, project.client(), path, {"refresh": text})
            for text in texts
        ]
        self._barrier.wait(SECONDS)
        meanwhile()
        answers, released = zip(*(each.result() for each in asked), strict=True)
        return Race(list(answers), list(released))

    def _ask(self, client: Client, path: str, body: Any) -> tuple[Answer, float]:
        try:
            client.begin("POST", path, body)
            self._barrier.wait(SECONDS)
            released = perf_counter()
            try:
                client.complete()
                return client.answer(), released
            except BrokenError as error:
                return Answer(0, {}, repr(error).encode()), released
        finally:
            client.close()
