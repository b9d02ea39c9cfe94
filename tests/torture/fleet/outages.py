"""Phases with a provider that is gone or bad."""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tests.torture.fleet.fleet import FETCH_TIMEOUT, Fleet, Told
from tests.torture.fleet.healthy import DAY, FRESH, HOUR, MINUTE, steps
from tests.torture.fleet.processes import THREADS
from tests.torture.fleet.provider import (
    CANARY,
    GONE,
    GOOD,
    HANGS,
    OUTAGES,
    Hold,
    Key,
)
from tests.torture.fleet.report import Report, most_within

__all__ = ["cold_and_down", "outage", "outages", "strangers"]

#: Seconds between two attempts of the fleet.
PAUSE: Final = 20
#: Seconds at the beginning of an outage in which there are many short steps.
CLOSELY: Final = MINUTE
#: How much longer steps are than on a good day, since there are many of these.
SLOWER: Final = 10
LANES: Final = 4
SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.005
PROBLEM: Final = "application/problem+json"


def outages(fleet: Fleet, report: Report, longest: int, rng: random.Random) -> None:
    """Each kind of outage, for a day and more."""
    for state in OUTAGES:
        outage(fleet, report, state, SLOWER * longest, rng)


def outage(
    fleet: Fleet, report: Report, state: str, longest: int, rng: random.Random
) -> None:
    """24 hours without the provider, then too long, then its return."""
    report.begin(f"the provider {state}")
    began = fleet.warm_up()
    fleet.provider.turn(state)
    fleet.advance(FRESH)
    waited, told = _ask_meanwhile(fleet) if state == HANGS else (0, [])
    # Up to the last second of the hard limit.
    later = began + DAY - 1 - fleet.clock.now - CLOSELY
    for step in [*steps(rng, CLOSELY, 9), *steps(rng, later, longest)]:
        fleet.advance(step)
        told += fleet.ask(fleet.token())
    fleet.settle()
    report.none_but(200, "known keys for 24 hours", told)
    if state == HANGS:
        report.exactly("answers that waited for a fetch", waited, 0)
    tried = fleet.attempts(began + 1)
    report.least("attempts", len(tried), DAY / longest / 2)
    report.most(f"attempts within {PAUSE} s", most_within(PAUSE, tried), 1)
    _too_long(fleet, report)
    _bad_keys(fleet, report, state)
    _back(fleet, report)


def _ask_meanwhile(fleet: Fleet) -> tuple[int, list[Told]]:
    """Ask until a fetch hangs, and while it does; count what came behind its end."""
    told = fleet.ask(fleet.token(), lanes=LANES)
    hold = _held(fleet)
    told += fleet.ask(fleet.token(), lanes=LANES)
    # Whoever had waited for the fetch would have seen it end first.
    return (0 if hold in fleet.provider.held else len(told)), told


def _held(fleet: Fleet) -> Hold:
    """Give the fetch that hangs, once there is one."""
    deadline = time.monotonic() + SECONDS
    while not fleet.provider.held:
        if time.monotonic() > deadline:
            raise RuntimeError("Nobody fetches.")
        time.sleep(LOOK_SECONDS)
    return fleet.provider.held[0]


def _too_long(fleet: Fleet, report: Report) -> None:
    """Ask behind the hard limit."""
    told = []
    for step in (FETCH_TIMEOUT, PAUSE, HOUR):
        fleet.advance(step)
        told += _ask_in_vain(fleet)
    _expect_503(report, "beyond the limit", told)


def _ask_in_vain(fleet: Fleet) -> list[Told]:
    """Ask, and hang up for a provider that hangs once somebody waits for it."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(fleet.ask, fleet.token(), lanes=LANES)
        while not asked.done():
            fleet.provider.cut()
            time.sleep(LOOK_SECONDS)
        return asked.result()


def _expect_503(report: Report, what: str, told: Sequence[Told]) -> None:
    report.none_but(503, what, told)
    waits = list(map(_wait_of, told))
    kinds = {each.answer.headers.get("Content-Type") for each in told}
    report.least(f"{what}: shortest Retry-After", min(waits), 1)
    report.most(f"{what}: longest Retry-After", max(waits), MINUTE)
    report.exactly(f"{what}: no problem document", len(kinds - {PROBLEM}), 0)


def _bad_keys(fleet: Fleet, report: Report, state: str) -> None:
    """See that nothing was followed or believed."""
    report.exactly("hits of the canary", len(fleet.provider.asked(CANARY)), 0)
    if "another issuer" in state:
        told = fleet.ask(fleet.token(fleet.provider.intruder))
        believed = sum(each.status == 200 for each in told)
        report.exactly("tokens of the other issuer's key: accepted", believed, 0)


def _back(fleet: Fleet, report: Report) -> None:
    """Come again as Retry-After says, once the provider is back."""
    fleet.provider.turn(GOOD)
    fleet.advance(1)
    back = fleet.clock.now
    told = [each for each in fleet.ask(fleet.token()) if each.status != 200]
    while told and fleet.clock.now <= back + MINUTE:
        # One more: what expires in Redis was sent a moment before it was there.
        fleet.advance(1 + max(map(_wait_of, told)))
        told = fleet.ask(fleet.token(), lanes=LANES)
        told = [each for each in told if each.status != 200]
    fleet.settle()
    seconds = 1 + fleet.clock.now - back
    report.most("seconds until all is well again", seconds, PAUSE + 2)
    report.exactly("refused then", len(told), 0)
    report.exactly("fetches for that", len(fleet.fetches(back)), 1)


def _wait_of(told: Told) -> int:
    return int(told.answer.headers.get("Retry-After", 0))


def strangers(fleet: Fleet, report: Report) -> None:
    """Let unknown key ids wait for a fetch that hangs, with all threads there are."""
    report.begin("unknown key ids, and the provider hangs")
    fleet.warm_up()
    fleet.advance(MINUTE)
    fleet.provider.turn(HANGS)
    count = fleet.processes.count
    strange = [(n, fleet.token(Key())) for n in range(count) for _ in range(THREADS)]
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(fleet.deal, strange, THREADS)
        _held(fleet)
        began = time.monotonic()
        told = fleet.ask(fleet.token())
        seconds = time.monotonic() - began
        report.none_but(200, "known keys behind unknown ones", told)
        report.most("seconds they wait", round(seconds, 1), FETCH_TIMEOUT - 1)
        report.none_but(503, "the unknown ones", asked.result())
    fleet.settle()


def cold_and_down(fleet: Fleet, report: Report) -> None:
    """Start without a provider: refuse within bounds, and recover."""
    for state in (GONE, HANGS):
        report.begin(f"cold, and the provider {state}")
        fleet.make_cold()
        fleet.provider.turn(state)
        began, told = fleet.clock.now, []
        for step in (0, 1, 4, 5, 10, 5, HOUR):
            fleet.advance(step)
            told += _ask_in_vain(fleet)
        _expect_503(report, "answers", told)
        tried = fleet.attempts(began)
        report.most(f"attempts within {PAUSE} s", most_within(PAUSE, tried), 1)
        _back(fleet, report)
    _bounded(fleet, report)


def _bounded(fleet: Fleet, report: Report) -> None:
    """Measure what nobody cuts short: two documents' time at the most."""
    report.begin("cold, and a provider that hangs is waited for")
    fleet.make_cold()
    fleet.provider.turn(HANGS)
    began = time.monotonic()
    told = fleet.ask(fleet.token(), lanes=LANES)
    seconds = time.monotonic() - began
    _expect_503(report, "answers", told)
    report.most("seconds to the last answer", round(seconds, 1), 2 * FETCH_TIMEOUT + 2)
    _back(fleet, report)
