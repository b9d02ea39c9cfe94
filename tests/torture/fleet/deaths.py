"""Phases in which something dies: Redis, or the process that fetches."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from tests.torture.fleet.fleet import Fleet, Told
from tests.torture.fleet.healthy import FRESH, HOUR, LOOK, MINUTE, steps
from tests.torture.fleet.provider import GOOD, HANGS, Key
from tests.torture.fleet.report import Report, most_within

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dead_cold_fetcher", "dead_fetcher", "redis_is_away"]

HOURS: Final = 2
LANES: Final = 4
#: Seconds after which another process may try.
LOCKED: Final = 20
#: The thread of a process that waits for an answer.
FETCH: Final = "drf_apikit fetch"
SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.005


def redis_is_away(
    fleet: Fleet, report: Report, longest: int, rng: random.Random
) -> None:
    """Redis dies, and comes back empty; then it hangs, and goes on."""
    deaths: list[tuple[str, Callable[[], None], Callable[[], None]]] = [
        ("is killed", fleet.redis.kill, fleet.redis.start),
        ("hangs", fleet.redis.hang, fleet.redis.wake),
    ]
    for name, away, back in deaths:
        report.begin(f"Redis {name}")
        fleet.warm_up()
        fleet.advance(MINUTE)
        away()
        try:
            _alone(fleet, report, longest, rng)
        finally:
            back()
        _together(fleet, report, longest, rng)


def _alone(fleet: Fleet, report: Report, longest: int, rng: random.Random) -> None:
    began, told = fleet.clock.now, _keep_asking(fleet, longest, rng)
    fetches, count = fleet.fetches(began), fleet.processes.count
    report.shown("fetches without it", len(fetches))
    most = most_within(FRESH, fetches)
    report.most("of them within a freshness period", most, count)
    new = Key()
    fleet.provider.keys = [new]
    fleet.advance(1)
    rotated = fleet.clock.now
    told += fleet.ask(fleet.token(new))
    fleet.settle()
    report.none_but(200, "valid tokens without it, a new key too", told)
    report.most("fetches for the new key", len(fleet.fetches(rotated)), count)


def _together(fleet: Fleet, report: Report, longest: int, rng: random.Random) -> None:
    back = fleet.clock.now
    told = _keep_asking(fleet, longest, rng)
    # The first period may have begun without it.
    fetches = fleet.fetches(back + FRESH)
    report.most("fetches within a period again", most_within(FRESH, fetches), 1)
    report.none_but(200, "valid tokens, back again", told)


def _keep_asking(fleet: Fleet, longest: int, rng: random.Random) -> list[Told]:
    told = []
    for step in steps(rng, HOURS * HOUR, longest):
        fleet.advance(step)
        told += fleet.ask(fleet.token(), lanes=2)
    fleet.settle()
    return told


def dead_fetcher(fleet: Fleet, report: Report) -> None:
    """Kill the process that fetches (SIGKILL) while its fetch hangs."""
    report.begin("the process that fetches is killed")
    fleet.warm_up()
    fleet.provider.turn(HANGS)
    fleet.advance(FRESH)
    told = fleet.ask(fleet.token(), lanes=LANES)
    others = _kill_the_fetcher(fleet)
    killed = fleet.clock.now
    while fleet.clock.now < killed + LOCKED + LOOK:
        fleet.advance(1)
        told += fleet.ask(fleet.token(), of=others)
    fleet.settle()
    report.none_but(200, "valid tokens", told + fleet.ask(fleet.token()))
    fetches = fleet.fetches(killed + 1)
    report.exactly("fetches afterwards", len(fetches), 1)
    after = max(fetches, default=float("inf")) - killed
    report.most("seconds until another one fetches", after, LOCKED + LOOK)


def dead_cold_fetcher(fleet: Fleet, report: Report) -> None:
    """Do the same when nobody has any keys yet."""
    report.begin("the process that fetches first is killed")
    fleet.make_cold()
    fleet.provider.turn(HANGS)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(fleet.ask, fleet.token())
        others = _kill_the_fetcher(fleet)
        told = [each for each in asked.result() if each.process in others]
    report.none_but(503, "the others meanwhile", told)
    killed = fleet.clock.now
    while {each.status for each in told} != {200} and fleet.clock.now < killed + HOUR:
        fleet.advance(1)
        told = fleet.ask(fleet.token(), of=others)
    fleet.settle()
    report.most("seconds until they answer", fleet.clock.now - killed, LOCKED + 1)
    report.exactly("fetches for that", len(fleet.fetches(killed + 1)), 1)
    report.none_but(200, "all, then", fleet.ask(fleet.token(), lanes=LANES))


def _kill_the_fetcher(fleet: Fleet) -> list[int]:
    """Kill the process whose fetch hangs, and end that; give the other ones."""
    deadline = time.monotonic() + SECONDS
    while not (found := _fetching(fleet)):
        if time.monotonic() > deadline:
            raise RuntimeError("Nobody fetches.")
        time.sleep(LOOK_SECONDS)
    fleet.processes.kill(found)
    fleet.provider.turn(GOOD)
    return [n for n in range(fleet.processes.count) if n not in found]


def _fetching(fleet: Fleet) -> list[int]:
    """Find the process whose fetch hangs, once it does."""
    if not fleet.provider.held:
        return []
    states = map(fleet.processes.state, range(fleet.processes.count))
    return [number for number, state in enumerate(states) if FETCH in state["busy"]]
