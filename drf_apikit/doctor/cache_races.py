"""Threads and processes race for the same keys of a cache: each has one winner."""

import multiprocessing
import pickle
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Final

from django.conf import settings
from django.core.cache import caches
from django.db import connections

from drf_apikit.doctor.attempts import Attempt
from drf_apikit.doctor.cache_child import Race, take_part
from drf_apikit.oidc.aside import close_connections

__all__ = ["Outcome", "run"]

_THREADS: Final = 4
_PROCESSES: Final = 2
#: Seconds for which a thread waits for the others.
_PATIENCE: Final = 30
#: Seconds for a process to end by itself.
_GRACE: Final = 5.0
#: Settings that caches may read beside `CACHES`.
_READ: Final = ("USE_TZ", "TIME_ZONE", "SECRET_KEY")
_PREFIX: Final = "DJANGO_REDIS_"


@dataclass(slots=True)
class Outcome:
    """What came of a race.

    `by_threads` and `by_processes` have for each key how many have added it; `known`
    is what each process has read. `failure` says why there were no processes.
    """

    by_threads: list[int] = field(default_factory=list)
    by_processes: list[list[int]] = field(default_factory=list)
    known: list[Any] = field(default_factory=list)
    failure: str = ""


def run(race: Race, timeout: float) -> Outcome:
    """Let threads, and where that is possible processes, race.

    Raises:
        Exception: whatever the cache raises in this process.

    """
    deadline, outcome = time.monotonic() + timeout, Outcome()
    with _processes(race, outcome, deadline) as begun:
        pipes = begun if _are_ready(begun, deadline, outcome) else []
        for pipe in pipes:
            # One that has ended says so below.
            with suppress(OSError):
                pipe.send("go")
        outcome.by_threads = _threads_race(race)
        _finish(pipes, deadline, outcome)
    return outcome


def _threads_race(race: Race) -> list[int]:
    start = threading.Barrier(_THREADS)
    wins: list[list[bool]] = []
    errors: list[BaseException] = []

    def contend() -> None:
        cache, own = caches[race.alias], []
        with Attempt() as attempt:
            for key in race.keys:
                # All at once, each time: who is late cannot disturb the others.
                start.wait(_PATIENCE)
                own.append(bool(cache.add(key, "taken", race.life)))
        if attempt.error is not None:
            errors.append(attempt.error)
            start.abort()
        wins.append(own)
        close_connections()

    # Not those of a pool, which a process waits for at its end.
    threads = [threading.Thread(target=contend, daemon=True) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        # The others only tell that one of them has failed.
        raise errors[0]
    return [sum(each) for each in zip(*wins, strict=True)]


@contextmanager
def _processes(
    race: Race, outcome: Outcome, deadline: float
) -> Iterator[list[Connection]]:
    """Begin some processes that know nothing but the settings; end them after."""
    context = multiprocessing.get_context("spawn")
    begun: list[Any] = []
    pipes: list[Connection] = []
    try:
        with Attempt() as attempt:
            configuration = _configuration()
            # What fails in the middle of a beginning is not cleared away.
            pickle.dumps(configuration)
            for _ in range(_PROCESSES):
                ours, theirs = context.Pipe()
                pipes.append(ours)
                with theirs:
                    arguments = (race, configuration, theirs)
                    process = context.Process(
                        target=take_part, args=arguments, daemon=True
                    )
                    process.start()
                    begun.append(process)
        # Settings that cannot be pickled, or no room for processes.
        outcome.failure = attempt.failure
        yield [] if outcome.failure else pipes
    finally:
        for pipe in pipes:
            pipe.close()
        for process in begun:
            # It ends with its pipe, unless the cache holds it up.
            process.join(max(_GRACE, deadline - time.monotonic()))
            process.kill()
            process.join()
            process.close()


def _configuration() -> dict[str, Any]:
    names = [*_READ, *(name for name in dir(settings) if name.startswith(_PREFIX))]
    given = {name: getattr(settings, name) for name in names}
    databases = {alias: dict(connections.settings[alias]) for alias in connections}
    return {**given, "CACHES": settings.CACHES, "DATABASES": databases}


def _are_ready(pipes: Sequence[Connection], deadline: float, outcome: Outcome) -> bool:
    answers = list(map(partial(_answer, deadline=deadline), pipes))
    failures = [one for one in answers if isinstance(one, Exception)]
    if failures:
        outcome.failure = str(failures[0])
    else:
        outcome.known = answers
    return not failures


def _finish(pipes: Sequence[Connection], deadline: float, outcome: Outcome) -> None:
    for pipe in pipes:
        wins = _answer(pipe, deadline=deadline)
        if isinstance(wins, Exception):
            outcome.failure = str(wins)
        else:
            outcome.by_processes.append(wins)


def _answer(pipe: Connection, *, deadline: float) -> Any:
    """Give what a process says, or the exception that it sends."""
    if not pipe.poll(max(0, deadline - time.monotonic())):
        return TimeoutError("a process did not answer in time")
    try:
        return pipe.recv()
    except (EOFError, OSError):
        return RuntimeError("a process has ended")
