"""Many processes with one key at the same moment: the view is entered once.

64 processes (8 on SQLite) send the same request at once. In every other round the
view that was entered is held until all others have their answer: nobody waits for
it, each gets 409 with Retry-After. (SQLite has one writer at a time; there the
others wait, and get the replay.) Then some ask again, and get the one answer. In
between all send keys of their own at once, and nobody is refused, though all views
are held until each was entered.

How often a view was entered is noted in a file, from which no rollback removes it.
With each request in a transaction (ATOMIC_REQUESTS) and without.
"""

import logging
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections

from tests.app.models import Article
from tests.benchmarks.harness import throw_away_database
from tests.torture.crowd import Crowd
from tests.torture.harness import conclude, options
from tests.torture.keyed import PROTECTED, Order, Told
from tests.torture.lost_update import MODES

__all__ = ["WRONG", "Race", "judge", "race", "run", "settings_of"]

PROCESSES: Final = {"sqlite": 8, "postgresql": 64, "mariadb": 64}
MILLISECONDS: Final = 1000
#: After so many keys all have keys of their own.
UNRELATED: Final = 4
#: How many ask again.
AGAIN: Final = 8
WRONG: Final = (
    "entered other than once",
    "effects other than one",
    "other answers",
    "differing",
    "who waited",
    "refused though unrelated",
)

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Race:
    """One key, or as many keys as there are processes, and what came of it."""

    mark: str
    held: bool
    unrelated: bool = False
    path: str = PROTECTED
    #: All answers at first, and those of some to the same request again.
    first: list[Told] = field(default_factory=list)
    again: list[Told] = field(default_factory=list)
    #: Processes without an answer, and not in the view, while a view was held.
    waited: int = 0
    entered: int = 0
    effects: int = 0

    def order(self, number: int) -> Order:
        """Give what a process is to send."""
        key = f"{self.mark}-{number}" if self.unrelated else self.mark
        return Order(self.path, key, self.mark, self.held)


def settings_of(*, atomic: bool = False, **changed: Any) -> dict[str, Any]:
    """Give the settings of this process's database, some of them changed."""
    own = connections[DEFAULT_DB_ALIAS].settings_dict
    return {
        **own,
        "OPTIONS": {**own["OPTIONS"], **changed},
        "ATOMIC_REQUESTS": atomic,
        "CONN_MAX_AGE": None,
    }


def races(count: int, *, held: bool) -> Iterator[Race]:
    """Give a race for each key, and those of unrelated keys in between."""
    name = secrets.token_hex(5)
    for number in range(count):
        if number % UNRELATED == 0:
            yield Race(f"{name}-{number}-own", held, unrelated=True)
        yield Race(f"{name}-{number}", held and number % 2 == 0)


def race(crowd: Crowd, each: Race) -> None:
    """Let all ask at once, twice; note what came of it."""
    orders = [each.order(number) for number in range(len(crowd))]
    each.first, each.waited = crowd.ask(orders)
    each.again, _ = crowd.ask(orders[:AGAIN])
    each.entered = crowd.entered(each.mark)
    each.effects = Article.objects.filter(title=each.mark).count()


def judge(each: Race) -> Counter[str]:
    """Count what went wrong in a race."""
    wanted = len(each.first) if each.unrelated else 1
    done = [t for t in each.first if t.status == 201]
    fresh = [told for told in done if not told.replayed]
    refused = [t for t in each.first if t.status == 409 and "Retry-After" in t.headers]
    others = len(each.first) - len(done) - len(refused)
    others += abs(len(fresh) - wanted)
    others += sum(not (t.status == 201 and t.replayed) for t in each.again)
    # While the one view is held there is nothing that could be replayed.
    others += each.held and len(done) - len(fresh)
    same = done if each.unrelated else fresh * len(each.again)
    differing = len({told.said for told in done}) != wanted
    differing |= any(a.said != b.said for a, b in zip(same, each.again, strict=False))
    numbers = (
        each.entered != wanted,
        each.effects != wanted,
        others,
        differing,
        each.waited,
        each.unrelated and len(refused),
    )
    return Counter(dict(zip(WRONG, map(int, numbers), strict=True)))


def run(crowd: Crowd, name: str, keys: int) -> int:
    """Run the races; print the result and give the exit code."""
    wrong: Counter[str] = Counter(dict.fromkeys(WRONG, 0))
    counts: Counter[str] = Counter(keys=keys)
    slowest = 0.0
    for each in races(keys, held="sqlite" not in name):
        race(crowd, each)
        found = judge(each)
        wrong.update(found)
        counts["requests"] += len(each.first) + len(each.again)
        counts["held"] += each.held
        for told in each.first:
            kind = "replays" if told.replayed else f"of {told.status}"
            counts[f"{kind} at once"] += 1
            if told.status == 409:
                slowest = max(slowest, told.seconds)
        if any(found.values()):
            logger.error("%s: %s %s", name, each, +found)
    counts["ms at most to a 409"] = round(MILLISECONDS * slowest)
    return conclude(f"same_key on {name}", counts, wrong)


def main() -> int:
    chosen = options(__doc__, databases=True, keys=20)
    keys, failed = chosen.keys, 0
    left = sum(len(MODES[vendor]) for vendor in chosen.database)
    with Crowd(max(PROCESSES[vendor] for vendor in chosen.database)) as crowd:
        for vendor in chosen.database:
            with throw_away_database(vendor), crowd.part(PROCESSES[vendor]):
                for mode, atomic, changed in MODES[vendor]:
                    crowd.use(settings_of(atomic=atomic, **changed))
                    name = f"{vendor}, ATOMIC_REQUESTS {mode}"
                    failed |= run(crowd, name, keys // left)
                    keys, left = keys - keys // left, left - 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
