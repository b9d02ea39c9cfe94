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
import multiprocessing
import os
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import monotonic
from typing import Any, Final, Self

from django.db import DEFAULT_DB_ALIAS, connections

from demo.guardian import Guardian
from tests.app.models import Article
from tests.benchmarks.harness import throw_away_database
from tests.torture import keyed
from tests.torture.harness import conclude, options
from tests.torture.keyed import ENTERED, PROTECTED, READY, Database, Order, Told
from tests.torture.lost_update import MODES

__all__ = ["WRONG", "Crowd", "Race", "judge", "race", "run", "settings_of"]

PROCESSES: Final = {"sqlite": 8, "postgresql": 64, "mariadb": 64}
SECONDS: Final = 30.0
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


class Crowd:
    """Processes that ask all at once; a context manager."""

    def __init__(self, count: int) -> None:
        self._count = count
        folder = f"drf-apikit-same-key-{secrets.token_hex(8)}"
        self._entries = Path(tempfile.gettempdir()) / folder / "entries"
        self._pipes: list[Connection] = []
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            folder = self._entries.parent
            resources.enter_context(Guardian().start(remove=[folder]))
            folder.mkdir(mode=0o700)
            self._entries.touch()
            self._fork(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._resources.close()

    @contextmanager
    def using(self, database: dict[str, Any], count: int) -> Iterator[None]:
        """Let so many of the processes work on that database."""
        self._pipes = self._all[:count]
        self._tell([Database(database)] * count)
        try:
            yield
        finally:
            self._tell([Database(None)] * count)

    def ask(self, each: Race, count: int | None = None) -> tuple[list[Told], int]:
        """Let so many ask at once, or all; give their answers, and who had to wait."""
        pipes = self._pipes[:count]
        self._tell([each.order(number) for number in range(len(pipes))])
        os.write(self._gate.fileno(), b"x" * len(pipes))
        told: dict[Connection, Told] = {}
        held: set[Connection] = set()
        _listen(pipes, told, held)
        waited = len(pipes) - len(told) - len(held)
        while len(told) < len(pipes):
            for pipe in held:
                pipe.send(None)
            held.clear()
            if not _listen(pipes, told, held):
                raise RuntimeError("There are processes that do not answer.")
        return [told[pipe] for pipe in pipes], waited

    def entered(self, mark: str) -> int:
        """Count how often the view was entered for it."""
        return self._entries.read_text().splitlines().count(mark)

    def _tell(self, orders: Sequence[Database | Order]) -> None:
        pipes = self._pipes[: len(orders)]
        for pipe, order in zip(pipes, orders, strict=True):
            pipe.send(order)
        for pipe in pipes:
            if not pipe.poll(SECONDS) or pipe.recv() != READY:
                raise RuntimeError("There are processes that do not start.")

    def _fork(self, resources: ExitStack) -> None:
        # A process without threads loads Django, and is forked.
        context = multiprocessing.get_context("forkserver")
        loaded = {"pytest"} & sys.modules.keys()
        context.set_forkserver_preload([keyed.__name__, __name__, *loaded])
        start, self._gate = context.Pipe(duplex=False)
        self._all = []
        for _ in range(self._count):
            own, theirs = context.Pipe()
            arguments = (theirs, start, self._entries)
            process = context.Process(target=keyed.live, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self._all.append(own)
            resources.callback(process.join, SECONDS)
        for pipe in (start, self._gate, *self._all):
            resources.callback(pipe.close)


def _listen(
    pipes: Sequence[Connection], told: dict[Connection, Told], held: set[Connection]
) -> bool:
    """Hear all that are not in the view to their end; False: in vain."""
    deadline = monotonic() + SECONDS
    while silent := [p for p in pipes if p not in told and p not in held]:
        ready = wait(silent, deadline - monotonic())
        if not ready:
            return False
        for pipe in silent:
            if pipe in ready and (message := pipe.recv()) == ENTERED:
                held.add(pipe)
            elif pipe in ready:
                told[pipe] = message
    return True


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
    each.first, each.waited = crowd.ask(each)
    each.again, _ = crowd.ask(each, AGAIN)
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
            with throw_away_database(vendor):
                for mode, atomic, changed in MODES[vendor]:
                    database = settings_of(atomic=atomic, **changed)
                    name = f"{vendor}, ATOMIC_REQUESTS {mode}"
                    with crowd.using(database, PROCESSES[vendor]):
                        failed |= run(crowd, name, keys // left)
                    keys, left = keys - keys // left, left - 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
