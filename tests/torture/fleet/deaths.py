"""Phases in which something dies: Redis, or the process that fetches."""

import random
import time
from typing import TYPE_CHECKING, Final

from tests.torture.fleet.fleet import Fleet, Told
from tests.torture.fleet.healthy import FRESH, HOUR, LOOK, MINUTE, steps
from tests.torture.fleet.provider import GOOD, HANGS, Key
from tests.torture.fleet.report import Report, most_within

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dead_fetcher", "redis_is_away"]

HOURS: Final = 2
LANES: Final = 4
#: Seconds after which another process may try.
LOCKED: Final = 20


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
    victim = _fetching(fleet)
    others = [n for n in range(fleet.processes.count) if n != victim]
    fleet.processes.kill([victim])
    fleet.provider.turn(GOOD)
    killed = fleet.clock.now + 1
    while fleet.clock.now < killed + LOCKED + LOOK:
        fleet.advance(1)
        told += fleet.ask(fleet.token(), of=others)
    fleet.settle()
    told += fleet.ask(fleet.token())
    fetches = fleet.fetches(killed)
    report.none_but(200, "valid tokens", told)
    report.exactly("fetches afterwards", len(fetches), 1)
    after = max(fetches, default=float("inf")) - killed
    report.most("seconds until another one fetches", after, LOCKED + LOOK)


def _fetching(fleet: Fleet) -> int:
    """Find the process that is busy while the fetch hangs."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if fleet.provider.held:
            for number in range(fleet.processes.count):
                if fleet.processes.state(number)["busy"]:
                    return number
        time.sleep(0.005)
    raise RuntimeError("Nobody fetches.")
