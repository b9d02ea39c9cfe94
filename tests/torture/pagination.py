"""Pages that must lose nothing, on real databases, and cursors that must not pass.

The whole matrix of orderings, directions and places of NULL is walked against one
ORDER BY; lists are walked while rows come and go; and cursors are forged. The same
seed makes the same choices.

`--orderings 0` walks the whole matrix of 5,077 orderings, to and fro at every page
size: every column and every pair of columns in each direction and with NULLs at
either end (2,485 with the key alone), and triples of four columns, one of each kind
that is planned in its own way (2,592): never NULL, maybe NULL, a moment, and one of
another table. `--triples 12` takes the triples of all twelve columns, 101,280.
"""

import logging
import random
import sys
from collections import Counter

from tests.benchmarks.harness import throw_away_database
from tests.databases import VENDORS
from tests.torture.cursors import ForgedCursors
from tests.torture.harness import conclude, options
from tests.torture.walks import (
    KINDS,
    LIVE_ROWS,
    ROWS,
    WRONG,
    Items,
    all_orderings,
    in_words,
    live,
    rows,
    walk,
)

REFUSALS = ("accepted", "of 5xx", "other answers")
#: Orderings that are tried on the same rows.
ON_THE_SAME = 10

logger = logging.getLogger(__name__)


def matrix(orderings: int, triples: int, rng: random.Random) -> Counter[str]:
    """Walk so many orderings, or all; give what is wrong, and how much there was."""
    chosen, whole = all_orderings(triples), not orderings
    if orderings:
        chosen = rng.sample(chosen, min(orderings, len(chosen)))
    found: Counter[str] = Counter(orderings=len(chosen))
    for begin in range(0, len(chosen), ON_THE_SAME):
        with rows(ROWS, rng.getrandbits(32)):
            for items in chosen[begin : begin + ON_THE_SAME]:
                _add(found, walk(items, rng, zigzag_all=whole), items)
    return found


def schedules(count: int, rng: random.Random) -> Counter[str]:
    """Walk lists that change, each in a random ordering."""
    chosen = all_orderings()
    found: Counter[str] = Counter(schedules=count)
    for _ in range(count):
        items = rng.choice(chosen)
        with rows(LIVE_ROWS, rng.getrandbits(32)):
            _add(found, live(items, rng), items)
    return found


def mutations(count: int, rng: random.Random) -> Counter[str]:
    """Send forged cursors."""
    found: Counter[str] = Counter(mutations=count)
    with rows(LIVE_ROWS, rng.getrandbits(32)):
        forged = ForgedCursors()
        for _ in range(count):
            if answer := forged.attempt(rng):
                found[answer] += 1
    return found


def run(
    name: str,
    seed: int,
    *,
    orderings: int,
    live_schedules: int,
    forged: int,
    triples: int = len(KINDS),
) -> int:
    """Run it all on the default database; print the result and give the exit code."""
    rng = random.Random(seed)
    found = matrix(orderings, triples, rng) + schedules(live_schedules, rng)
    found += mutations(forged, rng)
    counts = {
        what: found[what] for what in ("orderings", "pages", "schedules", "mutations")
    }
    wrong = {what: found[what] for what in (*WRONG, *REFUSALS)}
    return conclude(f"pagination on {name} --seed {seed}", counts, wrong)


def _add(found: Counter[str], result: Counter[str], items: Items) -> None:
    found.update(result)
    if any(result[what] for what in WRONG):
        logger.error("Wrong, ordered by %s: %s", in_words(items), dict(result))


def main() -> int:
    chosen = options(
        __doc__,
        databases=True,
        orderings=120,
        triples=len(KINDS),
        schedules=150,
        mutations=20_000,
    )
    databases = chosen.database or VENDORS
    failed = 0
    for vendor in databases:
        with throw_away_database(vendor):
            failed |= run(
                vendor,
                chosen.seed,
                orderings=chosen.orderings,
                live_schedules=chosen.schedules,
                forged=chosen.mutations // len(databases),
                triples=chosen.triples,
            )
    return failed


if __name__ == "__main__":
    sys.exit(main())
