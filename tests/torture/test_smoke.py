"""A little of each run, and the proof that their judges see what is wrong."""

import json
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from django.db.models import QuerySet
from django.http import Http404
from rest_framework.pagination import LimitOffsetPagination

from drf_apikit.keyset import Cursor, Ordering, plan, slices
from drf_apikit.pagination import cursor
from tests.app.models import Article, Document
from tests.pagination.walking import List
from tests.torture import (
    failures,
    lost_update,
    pagination,
    walks,
)
from tests.torture.cursors import ForgedCursors
from tests.torture.harness import Answer, conclude
from tests.torture.lost_update import Documents, Round

ONE, OTHER = lost_update.WRONG[:2]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", ["sqlite", "mariadb"], indirect=True)
def test_of_several_writers_one_wins(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Documents(atomic=database == "sqlite") as server:
        assert lost_update.run(server, database, rounds=3, seed=1) == 0
    line = f"lost_update on {database} --seed 1: ok: 3 rounds, "
    assert line in capsys.readouterr().out


def test_no_exception_breaks_the_handler(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.run(rounds=120, seed=1) == 0
    assert "failures --seed 1: ok: 120 rounds" in capsys.readouterr().out


def test_what_is_wrong_ends_a_run_with_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert conclude("name", {"rounds": 2}, {"lost": 0, "stuck": 1}) == 1
    assert capsys.readouterr().out == "name: FAILED: 2 rounds, 0 lost, 1 stuck\n"


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
