"""Phases with a good provider: a cold start, a day, rotations."""

import random
from collections.abc import Iterator
from typing import Final

from tests.torture.fleet.fleet import Fleet
from tests.torture.fleet.provider import Key
from tests.torture.fleet.report import Report, most_within

__all__ = [
    "DAY",
    "FRESH",
    "HOUR",
    "LOOK",
    "MINUTE",
    "SLOTS",
    "cold_start",
    "day",
    "rotations",
    "steps",
]

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
#: Seconds for which keys are fresh, by default.
FRESH: Final = 600
#: Seconds after which a process has looked at what the others have found.
LOOK: Final = 15
#: How often the keys may be asked for within a minute for unknown key ids.
SLOTS: Final = 3
LANES: Final = 4


def steps(rng: random.Random, seconds: float, longest: float) -> Iterator[float]:
    """Give random steps of whole seconds that are so long together."""
    left = seconds
    while left > 0:
        step = min(left, rng.randint(1, round(longest)))
        left -= step
        yield step


def cold_start(fleet: Fleet, report: Report, rounds: int) -> None:
    """All at once, with nothing in memory or in the cache."""
    report.begin("cold start")
    most, told = 0, []
    for _ in range(rounds):
        fleet.make_cold()
        told += fleet.ask(fleet.token(), lanes=8)
        fleet.settle()
        most = max(most, len(fleet.fetches(fleet.clock.now)))
    report.shown("cold starts", rounds)
    report.exactly("fetches at most in one", most, 1)
    report.none_but(200, "valid tokens", told)


def day(fleet: Fleet, report: Report, longest: int, rng: random.Random) -> None:
    """24 hours of requests."""
    report.begin("24 hours")
    began, told = fleet.warm_up(), []
    for step in steps(rng, DAY, longest):
        fleet.advance(step)
        told += fleet.ask(fleet.token(), lanes=2)
    fleet.settle()
    fetches = fleet.fetches(began)
    report.shown("fetches", len(fetches))
    report.most("fetches within a freshness period", most_within(FRESH, fetches), 1)
    report.none_but(200, "valid tokens", told)


def rotations(fleet: Fleet, report: Report) -> None:
    """Keys come and go."""
    _announced(fleet, report)
    for name, at_once in (("one process after the other", False), ("at once", True)):
        _abrupt(fleet, report, name, at_once=at_once)
    _revoked(fleet, report)


def _announced(fleet: Fleet, report: Report) -> None:
    report.begin("rotation, announced ahead")
    began = fleet.warm_up()
    old, new = fleet.provider.keys[-1], Key()
    fleet.provider.keys = [old, new]
    told = []
    for step in (LOOK, FRESH, LOOK, LOOK):
        fleet.advance(step)
        told += fleet.ask(fleet.token(old))
    before = len(fleet.fetches(began))
    told += fleet.ask(fleet.token(new), lanes=LANES)
    fleet.settle()
    report.exactly("fetches for the new key", len(fleet.fetches(began)) - before, 0)
    report.none_but(200, "valid tokens", told)
    fleet.provider.keys = [new]
    gone, told = fleet.clock.now, []
    # Whoever asks last within the period sets off the fetch behind it.
    while fleet.clock.now < gone + FRESH + LOOK:
        fleet.advance(LOOK)
        told += fleet.ask(fleet.token(new))
    fleet.settle()
    report.none_but(200, "valid tokens meanwhile", told)
    fetches = fleet.fetches(began)
    report.most("fetches within a freshness period", most_within(FRESH, fetches), 1)
    refused = fleet.ask(fleet.token(old), lanes=LANES)
    fleet.settle()
    report.none_but(401, "the removed key, a freshness period later", refused)
    # It is a key id like any other that nobody knows.
    looked = len(fleet.fetches(began)) - len(fetches)
    report.most("fetches for that key", looked, SLOTS)


def _abrupt(fleet: Fleet, report: Report, name: str, *, at_once: bool) -> None:
    report.begin(f"rotation without notice, seen {name}")
    began = fleet.warm_up()
    fleet.advance(MINUTE)
    new = Key()
    fleet.provider.keys = [new]
    if at_once:
        told = fleet.ask(fleet.token(new), lanes=LANES)
    else:
        told = []
        for number in range(fleet.processes.count):
            told += fleet.ask(fleet.token(new), of=[number])
    fleet.settle()
    report.none_but(200, "the first tokens of the new key", told)
    report.exactly("fetches for the new key", len(fleet.fetches(began)) - 1, 1)


def _revoked(fleet: Fleet, report: Report) -> None:
    report.begin("a key withdrawn, then apikit_jwks --refresh")
    began = fleet.warm_up()
    fleet.advance(MINUTE)
    old, new = fleet.provider.keys[-1], Key()
    fleet.provider.keys = [new]
    known = fleet.ask(fleet.token(old))
    report.none_but(200, "the old key before", known)
    fleet.processes.command("apikit_jwks", "--refresh")
    # The first requests behind the period make each process look.
    fleet.advance(LOOK)
    fleet.ask(fleet.token(new))
    fleet.settle()
    report.exactly("fetches for that", len(fleet.fetches(began)) - 1, 1)
    refused = fleet.ask(fleet.token(old), lanes=LANES)
    report.none_but(401, f"the old key {LOOK} s later", refused)
    report.none_but(200, "the new key", fleet.ask(fleet.token(new), lanes=LANES))
