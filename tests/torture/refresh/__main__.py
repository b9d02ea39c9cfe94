"""Fifty clients with one refresh token: exactly one of them may win.

Threads with a connection each present one and the same token to four gunicorn
workers, all when the last one is there. One gets 200 and all others 409, and the
session goes on; with `REPEAT_SUCCESSOR` all get one and the same successor. A copy
that comes later ends its session within one request: both who have a token of it are
out, and so are all when their user ends the session amid a race. Workers are killed
(SIGKILL) before and after the write, after the commit, and amid a race: a client that
asks again goes on, or is refused.

On SQLite, PostgreSQL and MariaDB, with ATOMIC_REQUESTS and without. Beside it, in the
same project: simplejwt's own views, as secure as its settings make them; and a
rotation that reads first and writes then, of which several clients must win, or
nobody has raced.
"""

import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.torture.fleet.report import Report
from tests.torture.harness import conclude, options
from tests.torture.issuing.database import fresh_database
from tests.torture.issuing.project import Project
from tests.torture.issuing.steps import Step
from tests.torture.refresh.crowd import CLIENTS, Crowd
from tests.torture.refresh.deaths import killed_amid, killed_at
from tests.torture.refresh.endings import ended_amid
from tests.torture.refresh.races import (
    GRACE,
    Bench,
    beside,
    races,
    reuse,
    unguarded,
)

__all__ = ["MODES", "Mode", "project_of", "run"]

#: How much of a log is worth showing.
LOGGED: Final = 5000
#: Of so many races there is one of each other kind.
RARER: Final = 10
WAL: Final = {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"}


@dataclass(frozen=True)
class Mode:
    """How the project is run."""

    repeats: bool
    atomic: bool
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        words = ["repeating" if self.repeats else "refusing"]
        words += ["ATOMIC_REQUESTS"] if self.atomic else []
        return ", ".join([*words, *filter(None, [self.options.get(TRANSACTIONS)])])


TRANSACTIONS: Final = "transaction_mode"
DEFERRED: Final = {**WAL, TRANSACTIONS: "DEFERRED"}
IMMEDIATE: Final = {**WAL, TRANSACTIONS: "IMMEDIATE"}
MODES: Final[dict[str, list[Mode]]] = {
    "sqlite": [
        Mode(repeats=False, atomic=False, options=DEFERRED),
        Mode(repeats=True, atomic=True, options=DEFERRED),
        Mode(repeats=False, atomic=True, options=IMMEDIATE),
    ],
    "postgresql": [Mode(repeats=False, atomic=False), Mode(repeats=True, atomic=True)],
    "mariadb": [Mode(repeats=False, atomic=False), Mode(repeats=True, atomic=True)],
}


def project_of(database: Mapping[str, Any], mode: Mode) -> Project:
    """Give the project on a database, to be run in that mode."""
    own = {
        **database,
        "OPTIONS": {**database.get("OPTIONS", {}), **mode.options},
        "ATOMIC_REQUESTS": mode.atomic,
        "CONN_MAX_AGE": None,
    }
    return Project(
        own, ALGORITHM="ES256", REUSE_GRACE=GRACE, REPEAT_SUCCESSOR=mode.repeats
    )


def run(bench: Bench, name: str, rounds: int, rng: random.Random) -> str:
    """Play all kinds of races; give the line of how many clients have won."""
    few, report = max(1, rounds // RARER), bench.report
    report.begin(f"{name}: races")
    ours = races(bench, rounds)
    report.begin(f"{name}: copies")
    reuse(bench, few)
    report.begin(f"{name}: ends")
    ended_amid(bench, few)
    report.begin(f"{name}: kills")
    for step in Step:
        killed_at(bench, step, few)
    killed_amid(bench, few, rng)
    report.begin(f"{name}: simplejwt's")
    theirs = beside(bench, few)
    report.begin(f"{name}: unguarded")
    unguarded(bench)
    report.shown("seconds", round(report.lap(), 1))
    kept = f"{max(theirs.good)} successors are good later"
    return f"{name}: {ours} of {bench.crowd.count}; simplejwt's: {theirs}, {kept}"


def played(
    vendor: str, crowd: Crowd, report: Report, rounds: int, rng: random.Random
) -> Iterator[str]:
    """Play on a database, in all modes; give their lines."""
    with fresh_database(vendor) as database:
        for mode in MODES[vendor]:
            seen = len(report.rows)
            with project_of(database, mode) as project:
                bench = Bench(project, crowd, report, mode.repeats)
                try:
                    yield run(bench, f"{vendor}, {mode}", rounds, rng)
                except RuntimeError as error:
                    report.exactly(f"broken off: {error}", 1, 0)
                if any(not row.right for row in report.rows[seen:]):
                    print(project.log()[-LOGGED:])


def main() -> int:
    chosen = options(__doc__, databases=True, rounds=20)
    report, rng, lines = Report(), random.Random(chosen.seed), list[str]()
    with Crowd(CLIENTS) as crowd:
        for vendor in chosen.database:
            rounds = -(-chosen.rounds // len(MODES[vendor]))
            lines += played(vendor, crowd, report, rounds, rng)
    print(report.table(), "Winners of a race:", *lines, sep="\n", flush=True)
    counts = {"clients": CLIENTS, "answers": report.answers.total()}
    counts |= {f"of {s}": n for s, n in sorted(report.answers.items())}
    return conclude(f"refresh --seed {chosen.seed}", counts, {"wrong": report.wrong})


if __name__ == "__main__":
    sys.exit(main())
