"""A little of each run, and the proof that their judges see what is wrong."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from django.db.models import QuerySet
from django.http import Http404
from rest_framework.pagination import LimitOffsetPagination

from drf_apikit.keyset import Cursor, Ordering, plan, slices
from drf_apikit.pagination import cursor
from tests.app.models import Article, Document
from tests.conftest import Services
from tests.pagination.walking import List
from tests.services import UnavailableError, durable_postgresql
from tests.torture import (
    failures,
    idempotency,
    lost_update,
    pagination,
    same_key,
    walks,
)
from tests.torture.cursors import ForgedCursors
from tests.torture.harness import Answer, conclude
from tests.torture.idempotency import KILL, STOP, Run
from tests.torture.keyed import UNPROTECTED, Told
from tests.torture.lost_update import Documents, Round
from tests.torture.payments import BALANCES, Payment, judge
from tests.torture.same_key import Crowd, Race, settings_of
from tests.torture.stepped import ledger as stepped
from tests.torture.stepped.ledger import SteppedLedger
from tests.torture.stepped.steps import Step

ONE, OTHER = lost_update.WRONG[:2]
ENTERED, EFFECTS, ANSWERS, DIFFERING, WAITED, REFUSED = same_key.WRONG


@pytest.fixture(scope="module")
def ledger(services: Services) -> Iterator[SteppedLedger]:
    # A server of its own: it is to crash.
    with ExitStack() as resources:
        try:
            postgresql = resources.enter_context(durable_postgresql())
        except UnavailableError as error:
            services.refuse("postgresql", str(error))
        yield resources.enter_context(SteppedLedger(postgresql, atomic=True))


def test_payments_survive_kills_and_a_stop(
    ledger: SteppedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = [KILL, *Step, STOP]
    assert idempotency.run(ledger, "", plan, seed=1) == 0
    line = capsys.readouterr().out
    assert "idempotency --seed 1: ok: 11 kills, " in line
    assert all(f", 1 of them {step}, " in line for step in Step)
    assert ", 1 stops of PostgreSQL, " in line


def test_a_client_that_forgets_its_key_pays_twice(ledger: SteppedLedger) -> None:
    before: dict[int, int] = dict(ledger.query(BALANCES))
    played = Run(ledger, seed=2, forgetful=True)
    found = judge(ledger, played.play([Step.COMMITTED]), before)
    assert found["duplicated"]
    assert found["wrong balances"]


def test_a_step_that_nobody_comes_to_is_a_fault(
    ledger: SteppedLedger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(stepped, "SECONDS_FOR_STEP", 0.01)
    monkeypatch.setattr(stepped.Trap, "take", lambda *_: None)
    assert idempotency.run(ledger, "", [Step.MOVED], seed=3) == 1
    assert ", 1 steps missed" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", ["sqlite", "mariadb"], indirect=True)
def test_of_several_writers_one_wins(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Documents(atomic=database == "sqlite") as server:
        assert lost_update.run(server, database, rounds=3, seed=1) == 0
    line = f"lost_update on {database} --seed 1: ok: 3 rounds, "
    assert line in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_of_several_processes_with_a_key_one_enters(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Crowd(8) as crowd, crowd.using(settings_of(atomic=True), 8):
        assert same_key.run(crowd, database, keys=2) == 0
        unprotected = Race("unprotected", held=True, path=UNPROTECTED)
        same_key.race(crowd, unprotected)
    line = f"same_key on {database}: ok: 2 keys, 48 requests, 2 held, 10 of 201 at once"
    assert line in capsys.readouterr().out
    found = same_key.judge(unprotected)
    assert unprotected.entered == 16
    assert set(+found) == {ENTERED, EFFECTS, ANSWERS, DIFFERING}


NEW, OLD = {"Location": "/1"}, {"Location": "/1", "Idempotent-Replayed": "true"}
MADE, SAID_AGAIN, BUSY = Told(201, NEW), Told(201, OLD), Told(409, {"Retry-After": "1"})
OTHER_PLACE = Told(201, {**OLD, "Location": "/2"})


@pytest.mark.parametrize(
    ("first", "again", "changed", "wrong"),
    [
        ((BUSY, MADE, BUSY), (SAID_AGAIN,), {}, set()),
        ((BUSY, MADE, SAID_AGAIN), (SAID_AGAIN,), {"held": False}, set()),
        ((BUSY, MADE, SAID_AGAIN), (SAID_AGAIN,), {}, {ANSWERS}),
        ((BUSY, MADE), (SAID_AGAIN,), {"entered": 2}, {ENTERED}),
        ((BUSY, MADE), (SAID_AGAIN,), {"effects": 2}, {EFFECTS}),
        ((BUSY, MADE), (SAID_AGAIN,), {"waited": 1}, {WAITED}),
        ((BUSY, MADE), (MADE,), {}, {ANSWERS}),
        ((BUSY, MADE), (BUSY,), {}, {ANSWERS, DIFFERING}),
        ((BUSY, MADE), (OTHER_PLACE,), {}, {DIFFERING}),
        ((MADE, MADE), (SAID_AGAIN,), {}, {ANSWERS}),
        ((MADE, OTHER_PLACE), (SAID_AGAIN,), {"held": False}, {DIFFERING}),
        ((Told(409), MADE), (SAID_AGAIN,), {}, {ANSWERS}),
        ((Told(503), MADE), (SAID_AGAIN,), {}, {ANSWERS}),
        ((BUSY,), (SAID_AGAIN,), {"unrelated": True}, {REFUSED, ANSWERS, DIFFERING}),
    ],
)
def test_the_judge_of_keys_sees_every_fault(
    first: tuple[Told, ...],
    again: tuple[Told, ...],
    changed: dict[str, Any],
    wrong: set[str],
) -> None:
    race = Race("mark", held=True, entered=1, effects=1)
    race.first, race.again = list(first), list(again)
    assert set(+same_key.judge(replace(race, **changed))) == wrong


def test_no_exception_breaks_the_handler(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.run(rounds=120, seed=1) == 0
    assert "failures --seed 1: ok: 120 rounds" in capsys.readouterr().out


def test_what_is_wrong_ends_a_run_with_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert conclude("name", {"rounds": 2}, {"lost": 0, "stuck": 1}) == 1
    assert capsys.readouterr().out == "name: FAILED: 2 rounds, 0 lost, 1 stuck\n"


def pay(ledger: SteppedLedger, key: str, reference: str) -> Answer:
    order = {"source": 1, "target": 2, "amount": 5, "currency": "EUR"}
    headers = {"Authorization": ledger.authorization(), "Idempotency-Key": key}
    order_with_text = {**order, "reference": reference}
    return ledger.send("POST", "/api/transfers/", order_with_text, headers)


def test_the_judge_of_payments_sees_every_fault(ledger: SteppedLedger) -> None:
    before: dict[int, int] = dict(ledger.query(BALANCES))
    good = Payment("judge-good", 1, 2, 5)
    good.answers = [pay(ledger, good.key, good.key) for _ in range(2)]
    assert not any(judge(ledger, [good], before).values())

    twice = Payment("judge-twice", 1, 2, 5)
    twice.answers = [pay(ledger, f"{twice.key}-{n}", twice.key) for n in range(2)]
    stuck = Payment("judge-stuck", 2, 1, 5)
    answer = good.answers[0]
    lost = Payment("judge-lost", 1, 2, 5, [answer])
    refused = replace(good, answers=[replace(answer, status=409)])
    differing = replace(good, answers=[answer, replace(answer, body=b'{"id": 0}')])
    failed = replace(good, failed=2)

    def seen(*payments: Payment) -> set[str]:
        return {name for name, n in judge(ledger, [*payments], before).items() if n}

    assert seen(good, twice) == {"duplicated", "differing", "wrong balances"}
    assert "stuck" in seen(stuck)
    assert "lost" in seen(lost)
    assert "lost" in seen(refused)
    assert {"lost", "differing"} <= seen(differing)
    assert "answers of 5xx" in seen(failed)
    richer = {**before, 1: before[1] + 1}
    assert "out of balance" in {
        name for name, n in judge(ledger, [good], richer).items() if n
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_writers_who_are_compared_and_then_write_lose_updates(database: str) -> None:
    found: Counter[str] = Counter()
    with Documents(atomic=True) as server:
        assert lost_update.run(server, database, rounds=3, seed=1) == 0
        rounds = lost_update.rounds_of(30, random.Random(1), ["checked"])
        while not found[ONE] or not found["lost"]:
            each = next(rounds)
            lost_update.race(server, each)
            found += lost_update.judge(each)


def answered(kind: str, *statuses: int) -> Round:
    each = Round(kind, "swapped", len(statuses), "mark", 1)
    each.methods = list(lost_update.KINDS[kind])[:1] * len(statuses)
    for number, status in enumerate(statuses):
        told = {"slug": "mark", **(each.wanted(number) or {})}
        each.answers.append(Answer(status, {}, json.dumps(told).encode()))
    return each


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "statuses", "stored", "wrong"),
    [
        ("patch", (200, 412), {"title": "mark-0", "version": 2}, set()),
        ("put", (412, 200), {"title": "mark-1", "text": "mark-1", "version": 2}, set()),
        ("create", (412, 201), {"title": "mark-1", "text": "mark-1"}, set()),
        ("delete", (412, 204, 404), None, set()),
        ("patch", (412, 412), {}, {ONE, "lost"}),
        ("patch", (200, 200), {"title": "mark-0", "version": 3}, {ONE, "lost"}),
        ("patch", (200, 412), {"title": "mark-0", "version": 3}, {"lost"}),
        ("patch", (200, 412), {"text": "mark-1", "version": 2}, {"lost"}),
        ("patch", (200, 409), {"title": "mark-0", "version": 2}, {OTHER}),
        ("patch", (200, 404), {"title": "mark-0", "version": 2}, {OTHER}),
        ("patch", (200, 503), {"title": "mark-0", "version": 2}, {OTHER, "of 5xx"}),
        ("delete", (204, 412), {}, {"lost"}),
    ],
)
def test_the_judge_of_races_sees_every_fault(
    kind: str, statuses: tuple[int, ...], stored: dict[str, Any] | None, wrong: set[str]
) -> None:
    if stored is not None:
        columns = {"title": "draft", "text": "body", **stored}
        Document.objects.create(slug="mark", **columns)
    found = lost_update.judge(answered(kind, *statuses))
    assert {name for name, count in found.items() if count} == wrong


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_pages_lose_nothing_and_no_forged_cursor_passes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert pagination.run("it", 1, orderings=4, live_schedules=5, forged=120) == 0
    line = capsys.readouterr().out
    assert line.startswith("pagination on it --seed 1: ok: 4 orderings, ")
    assert not Article.objects.exists()


def test_the_whole_matrix_has_every_ordering_once() -> None:
    found = [walks.in_words(items) for items in walks.all_orderings()]
    assert len(found) == len(set(found)) == 1 + 52 + 2432 + 2592


@pytest.mark.parametrize(("triples", "number"), [(3, 1 + 52 + 2432 + 432), (2, 2485)])
def test_triples_are_of_as_many_columns_as_wanted(triples: int, number: int) -> None:
    assert len(walks.all_orderings(triples)) == number


@pytest.mark.django_db
@pytest.mark.parametrize("zigzag_all", [False, True])
def test_the_whole_matrix_goes_to_and_fro_at_every_page_size(zigzag_all: bool) -> None:
    with walks.rows(walks.ROWS, seed=1):
        found = walks.walk(("score",), random.Random(1), zigzag_all=zigzag_all)
    there = sum(-(-walks.ROWS // size) for size in range(1, walks.ROWS + 2))
    zigzagged = walks.ROWS + 1 if zigzag_all else 1
    # The last page forward is the first one backward.
    straight = 2 * there - (walks.ROWS + 1)
    assert found["pages"] == straight + walks.ZIGZAG * zigzagged
    assert not any(found[what] for what in walks.WRONG)


def first_column(
    queryset: QuerySet[Any], ordering: Ordering, position: Any = None, **options: bool
) -> list[QuerySet[Any]]:
    """Plan as DRF does, whose positions are of the first column alone."""
    short = replace(ordering, terms=ordering.terms[:1])
    return list(plan(queryset, short, position and position[:1], **options))


def no_nulls(
    queryset: QuerySet[Any], ordering: Ordering, position: Any = None, **options: bool
) -> list[QuerySet[Any]]:
    """Plan as if no column could be NULL."""
    terms = tuple(replace(term, nullable=False) for term in ordering.terms)
    return list(plan(queryset, replace(ordering, terms=terms), position, **options))


def again(
    queryset: QuerySet[Any], ordering: Ordering, position: Any = None, **_: bool
) -> list[QuerySet[Any]]:
    return list(plan(queryset, ordering, position, inclusive=True))


def backwards(
    queryset: QuerySet[Any], ordering: Ordering, position: Any = None, **options: bool
) -> list[QuerySet[Any]]:
    return list(plan(queryset, ordering, position, **options))[::-1]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (first_column, {"lost", "misordered"}),
        (no_nulls, {"lost", "misordered"}),
        (again, {"endless"}),
        (backwards, {"misordered"}),
    ],
)
def test_the_judge_of_walks_sees_every_fault(
    monkeypatch: pytest.MonkeyPatch, fault: Any, seen: set[str]
) -> None:
    monkeypatch.setattr(slices, "plan", fault)
    with walks.rows(walks.ROWS, seed=1):
        found = walks.walk(("score",), random.Random(1))
    assert seen <= {what for what, n in found.items() if n}


class Offsets(LimitOffsetPagination):
    limit_query_param = "page_size"

    def get_last_link(self) -> None:
        """Have none."""


class OffsetList(List):
    def __init__(self, items: Any) -> None:
        super().__init__(lambda: Article.objects.order_by(*items, "pk"), items)
        self._paginator: Any = Offsets


@pytest.mark.django_db
def test_the_judge_of_live_walks_sees_the_drift_of_an_offset() -> None:
    found: Counter[str] = Counter()
    for seed in range(5):
        with walks.rows(walks.LIVE_ROWS, seed):
            found += walks.live(("score",), random.Random(seed), OffsetList)
    assert found["lost"]
    assert found["duplicated"]


@pytest.mark.django_db
def test_the_judge_of_cursors_sees_every_wrong_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with walks.rows(walks.LIVE_ROWS, seed=1):
        forged = ForgedCursors()
        right = forged.given[1][0]
        assert forged.send(1, right) == "accepted"
        assert forged.send(2, right) == ""
        assert forged.send(1, b"\xff") == ""
        for fault, answer in ((KeyError(), "of 5xx"), (Http404(), "other answers")):

            def fail(*_: Any, fault: Exception = fault) -> Cursor:
                raise fault

            monkeypatch.setattr(cursor, "decode", fail)
            assert forged.send(1, right) == answer
