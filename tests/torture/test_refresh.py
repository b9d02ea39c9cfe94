"""A few races for refresh tokens, and the proof that what is wrong is seen."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.torture.fleet.report import Report
from tests.torture.issuing.database import fresh_database
from tests.torture.issuing.steps import UNGUARDED
from tests.torture.refresh import races
from tests.torture.refresh.__main__ import MODES, project_of, run
from tests.torture.refresh.crowd import Crowd
from tests.torture.refresh.races import Bench

CLIENTS = 16


@contextmanager
def bench_of(number: int) -> Iterator[Bench]:
    mode = MODES["sqlite"][number]
    with (
        fresh_database("sqlite") as database,
        project_of(database, mode) as project,
        Crowd(CLIENTS) as crowd,
    ):
        yield Bench(project, crowd, Report(), mode.repeats)


def wrong(report: Report) -> set[str]:
    return {row.what for row in report.rows if not row.right}


def judged(bench: Bench, *, repeats: bool = False) -> Bench:
    return Bench(bench.project, bench.crowd, Report(), repeats)


def test_of_many_refreshes_one_wins_and_no_other_is_taken_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with bench_of(0) as bench:
        line = run(bench, "it", 1, random.Random(1))
        assert not wrong(bench.report), bench.report.table() + bench.project.log()
        assert line.startswith("it: 1 of 16; simplejwt's: ")
        found: set[str] = set()
        while races.MOST not in found:
            careless = judged(bench)
            races.races(careless, 5, UNGUARDED)
            found |= wrong(careless.report)
        repeating = judged(bench, repeats=True)
        races.races(repeating, 1)
        assert wrong(repeating.report) == {races.LEAST, races.MOST}
        # Less time passes for the session than its settings leave it.
        monkeypatch.setattr(races, "GRACE", 20)
        early = judged(bench)
        races.reuse(early, 1)
        assert wrong(early.report) >= {races.AFTER, races.ALIVE}


def test_all_get_the_same_successor() -> None:
    with bench_of(1) as bench:
        races.races(bench, 1)
    assert not wrong(bench.report), bench.report.table()
