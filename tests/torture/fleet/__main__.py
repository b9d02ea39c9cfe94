"""Days of a fleet: how often the keys are fetched, and whom that keeps waiting.

Four gunicorn processes with a Redis, and a provider on loopback. The clock is set;
everything else is real. Each figure is asserted.
"""

import random
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tests.torture.fleet.deaths import (
    dead_cold_fetcher,
    dead_fetcher,
    redis_is_away,
)
from tests.torture.fleet.fleet import Fleet, assembled
from tests.torture.fleet.flood import flood
from tests.torture.fleet.healthy import cold_start, day, rotations
from tests.torture.fleet.outages import cold_and_down, outages, strangers
from tests.torture.fleet.report import Report
from tests.torture.harness import conclude, options

__all__ = ["PHASES", "Size", "run"]

ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Size:
    """How long a run is."""

    #: Tokens with unknown key ids.
    tokens: int
    #: Seconds at most from one moment at which the fleet is asked to the next.
    longest: int
    #: Cold starts.
    colds: int


Phase = Callable[[Fleet, Report, Size, random.Random], None]
PHASES: Final[dict[str, Phase]] = {
    "cold": lambda f, r, size, _: cold_start(f, r, size.colds),
    "day": lambda f, r, size, rng: day(f, r, size.longest, rng),
    "rotations": lambda f, r, *_: rotations(f, r),
    "flood": lambda f, r, size, _: flood(f, r, size.tokens),
    "outages": lambda f, r, size, rng: outages(f, r, size.longest, rng),
    "strangers": lambda f, r, *_: strangers(f, r),
    "cold-and-down": lambda f, r, *_: cold_and_down(f, r),
    "redis": lambda f, r, size, rng: redis_is_away(f, r, size.longest, rng),
    "fetcher": lambda f, r, *_: dead_fetcher(f, r),
    "first-fetcher": lambda f, r, *_: dead_cold_fetcher(f, r),
}


def run(fleet: Fleet, names: Iterable[str], size: Size, seed: int) -> Report:
    """Play the phases, each from a cold start."""
    report = Report()
    for name in names:
        try:
            PHASES[name](fleet, report, size, random.Random(f"{seed} {name}"))
        except RuntimeError as error:
            report.exactly(f"broken off: {error}", 1, 0)
        report.shown("seconds", round(report.lap(), 1))
    return report


def main() -> int:
    chosen = options(
        __doc__,
        choices={"phase": (ALL, *PHASES)},
        tokens=2000,
        longest=1200,
        colds=3,
    )
    names = list(PHASES) if chosen.phase == ALL else [chosen.phase]
    size = Size(chosen.tokens, chosen.longest, chosen.colds)
    with assembled() as fleet:
        began = fleet.clock.now
        report = run(fleet, names, size, chosen.seed)
        hours = (fleet.clock.now - began) / 3600
    print(report.table(), flush=True)
    counts = {
        "processes": fleet.processes.count,
        "hours": round(hours),
        "requests": report.answers.total(),
    }
    counts |= {f"of {s}": n for s, n in sorted(report.answers.items())}
    return conclude(f"fleet --seed {chosen.seed}", counts, {"wrong": report.wrong})


if __name__ == "__main__":
    sys.exit(main())
