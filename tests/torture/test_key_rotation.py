"""Keys end under two processes, and the proof that what is wrong is seen."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.torture.fleet.report import Report
from tests.torture.issuing.database import fresh_database
from tests.torture.key_rotation import phases
from tests.torture.key_rotation.fleet import LIFE, Fleet, assembled
from tests.torture.key_rotation.phases import Traffic


@contextmanager
def small_fleet() -> Iterator[Fleet]:
    with (
        fresh_database("sqlite") as database,
        assembled(database, count=2, services=1) as fleet,
    ):
        yield fleet


def wrong(report: Report) -> set[str]:
    return {row.what for row in report.rows if not row.right}


def test_keys_begin_and_end_as_promised_and_what_does_not_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with small_fleet() as fleet:
        right = Report()
        phases.cold(fleet, right)
        phases.promised(fleet, right, random.Random(1))
        assert not wrong(right), right.table() + fleet.issuers.log()

        told = phases.dead_from
        early = Report()
        monkeypatch.setattr(phases, "dead_from", lambda *what: told(*what) - 2)
        phases.promised(fleet, early, random.Random(1))
        assert wrong(early) == {phases.THEN, phases.PUBLISHED}

        impatient = Report()
        monkeypatch.setattr(phases, "LOOK", 6)
        phases.retired(fleet, impatient)
        assert wrong(impatient) >= {phases.ACCEPTED, phases.SIGNS}


def test_a_token_that_is_refused_anywhere_is_seen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = Report()
    with small_fleet() as fleet:
        traffic = Traffic(fleet)
        traffic.begin()
        fleet.clock.advance(2 * LIFE)
        traffic.step(0)
    traffic.tell(report)
    assert wrong(report) == {phases.REFUSALS}
    assert "[200, 200, 200, 401, 401, 401]" in capsys.readouterr().out
