"""Interleaved rounds, and a table of ratios.

All cases run once in each round, in a new random order, so that whatever else the
machine does falls on all of them alike. The least time is the cost, the median
tells how quiet the machine was.
"""

import argparse
import gc
import math
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter_ns
from typing import Any, Final

from rest_framework.response import Response

from tests.databases import VENDORS, Databases
from tests.services import start

__all__ = [
    "Goal",
    "measure",
    "options",
    "respond",
    "throw_away_database",
    "time_cases",
]

MICROSECONDS: Final = 1000
SECOND: Final = 1_000_000
WARM_UP: Final = 3


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio of two cases by their names, and what it should be."""

    case: str
    base: str
    wanted: str = ""


def options(description: str, **more: tuple[int, str]) -> argparse.Namespace:
    """Read the command line; `more` are further numbers with their help."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--database", choices=VENDORS, default="sqlite")
    parser.add_argument("--rounds", type=int, default=50, metavar="N")
    for name, (default, text) in more.items():
        parser.add_argument(
            f"--{name}", type=int, default=default, metavar="N", help=text
        )
    return parser.parse_args()


@contextmanager
def throw_away_database(vendor: str) -> Iterator[None]:
    """Make a database with all tables, and remove it afterwards."""
    databases, service = Databases(), None
    try:
        if vendor == "sqlite":
            databases.prepare_sqlite()
        else:
            service = start(vendor)
            databases.prepare(vendor, service.url)
        yield
    finally:
        databases.close()
        if service is not None:
            service.stop()


def respond(view: Callable[..., Any], request: Any, **kwargs: Any) -> Any:
    """Call a view and render its answer, as the server would."""
    response = view(request, **kwargs)
    return response.render() if isinstance(response, Response) else response


def measure(
    title: str,
    cases: Mapping[str, Callable[[], object]],
    goals: Sequence[Goal],
    rounds: int,
    repeat: int = 1,
) -> None:
    """Run all cases `rounds` times, each call `repeat` times in a row; print."""
    times = time_cases(cases, rounds, repeat)
    width = max(len(f"{goal.case} / {goal.base}") for goal in goals)
    width = max(width, *map(len, cases))
    print(f"\n{title} ({rounds} rounds)\n")
    print(f"{'case':{width}}  {'least µs':>12}  {'median µs':>12}  {'per second':>12}")
    for name, taken in times.items():
        least, rate = min(taken), SECOND / min(taken)
        print(f"{name:{width}}  {least:12.1f}  {median(taken):12.1f}  {rate:12.0f}")
    print(f"\n{'ratio':{width}}  {'of least':>12}  {'of medians':>12}  goal")
    for goal in goals:
        case, base = times[goal.case], times[goal.base]
        name = f"{goal.case} / {goal.base}"
        least, middle = min(case) / min(base), median(case) / median(base)
        print(f"{name:{width}}  {least:12.2f}  {middle:12.2f}  {goal.wanted}")
    sys.stdout.flush()


def time_cases(
    cases: Mapping[str, Callable[[], object]],
    rounds: int,
    repeat: int = 1,
    seconds: float = math.inf,
) -> dict[str, list[float]]:
    """Give the microseconds of one call for each round.

    A case that has taken `seconds` is left out of further rounds after its first.
    """
    rng = random.Random(rounds)
    order = list(cases)
    limit = seconds * SECOND
    times: dict[str, list[float]] = {name: [] for name in order}
    spent = {name: _warm_up(cases[name], limit) for name in order}
    for _ in range(rounds):
        rng.shuffle(order)
        gc.collect()
        for name in order:
            if not times[name] or spent[name] < limit:
                times[name].append(_time(cases[name], repeat))
                spent[name] += times[name][-1] * repeat
    return times


def _warm_up(call: Callable[[], object], limit: float) -> float:
    spent = 0.0
    for _ in range(WARM_UP):
        if spent < limit:
            spent += _time(call, 1)
    return spent


def _time(call: Callable[[], object], repeat: int) -> float:
    gc.disable()
    try:
        begin = perf_counter_ns()
        for _ in range(repeat):
            call()
        taken = perf_counter_ns() - begin
    finally:
        gc.enable()
    return taken / repeat / MICROSECONDS
