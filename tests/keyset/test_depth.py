"""The deep end costs what the beginning does, counted in the database's own work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Q, QuerySet
from pytest_django import DjangoDbBlocker

from drf_apikit.keyset import Ordering, Slice, ordered, read_slice, resolve_ordering
from drf_apikit.keyset.predicates import RowsBeyond
from tests.databases import Databases
from tests.deep import Deep, deep_table, fill
from tests.work import count_work

ROWS = 30_000
SIZE = 50
DEEP: QuerySet[Deep] = Deep.objects.all()
# Each is walked both ways, which makes the descending ones of them.
ORDERINGS: dict[str, tuple[Any, ...]] = {
    "uniform": ("created", "id"),
    "mixed": ("cat", "-created", "id"),
    "groups": ("cat", "id"),
    "nulls first": (F("score").asc(nulls_first=True), "id"),
    "nulls last": (F("score").asc(nulls_last=True), "id"),
}
#: Behind which rows pages begin: around the borders of the NULLs, which are a tenth,
#: and of the second of five groups; within both; and at the end.
BORDERS = (ROWS // 10, ROWS * 2 // 5, ROWS * 9 // 10)
ACROSS = [border - SIZE // 2 for border in BORDERS]
DEPTHS = [border + n for border in BORDERS for n in (-1, 0, 700)]
DEPTHS += [ROWS // 2, ROWS - SIZE - 1]
#: As many rows behind the border of the groups as a page with the hint can be.
DEPTHS += [BORDERS[1] + SIZE - 3]
#: Blocks that PostgreSQL may read more: another way down the index.
BLOCKS = 3
#: A page with the hint may pass over as many rows as it has, and looks at all columns.
PASSED_OVER = 2.5

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", params=["spread", "clustered"])
def deep(
    request: pytest.FixtureRequest,
    database: str,
    django_db_setup: Databases,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    assert database
    table = filled(clustered=request.param == "clustered")
    with django_db_setup.kept(django_db_blocker, table):
        yield


@contextmanager
def filled(*, clustered: bool) -> Iterator[None]:
    with deep_table():
        fill(ROWS, clustered=clustered)
        yield


class Walk:
    """Pages of one ordering, with what each has cost."""

    def __init__(self, items: tuple[Any, ...]) -> None:
        self.ordering = resolve_ordering(DEEP, items)
        self.whole = ordered(DEEP, self.ordering)
        self.keys = list(self.whole.values_list("pk", flat=True))
        self._positions: dict[int, tuple[Any, ...]] = {}
        self._work: dict[tuple[int, bool, bool], int] = {}

    def page(self, start: int, *, reverse: bool = False, hint: bool = True) -> int:
        """Read a page behind a row, or before it; give its work.

        With the hint that the page up to this row would have carried, or without.
        """
        few_ties = hint and self._read(start - SIZE, reverse=reverse).few_ties
        if (start, reverse, few_ties) not in self._work:
            work, found = count_work(
                lambda: self._read(start, reverse=reverse, few_ties=few_ties)
            )
            keys = self.keys[::-1] if reverse else self.keys
            rows = [row.pk for row in found.rows]
            assert rows[:: -1 if reverse else 1] == keys[start + 1 :][:SIZE]
            self._work[start, reverse, few_ties] = work
        return self._work[start, reverse, few_ties]

    def position(self, start: int, *, reverse: bool = False) -> tuple[Any, ...]:
        place = ROWS - 1 - start if reverse else start
        if place not in self._positions:
            row = self.whole.get(pk=self.keys[place])
            self._positions[place] = self.ordering.values_of(row)
        return self._positions[place]

    def bound(self, *, hint: bool = True) -> float:
        """Give what any page may cost: a little more than the second from an end."""
        ends = (False, True)
        second = max(self.page(SIZE - 1, reverse=end, hint=hint) for end in ends)
        return second * 1.1 + BLOCKS * (connection.vendor == "postgresql")

    def _read(self, start: int, *, reverse: bool, few_ties: bool = False) -> Slice:
        position = None if start < 0 else self.position(start, reverse=reverse)
        return read_slice(
            DEEP, self.ordering, SIZE, position, reverse=reverse, few_ties=few_ties
        )


@pytest.mark.usefixtures("deep")
@pytest.mark.parametrize("items", ORDERINGS.values(), ids=ORDERINGS)
def test_no_page_costs_more_than_the_second(items: tuple[Any, ...]) -> None:
    walk = Walk(items)
    for reverse, hint in product((False, True), repeat=2):
        bound = walk.bound(hint=hint)
        # Nothing but the first page of a group carries the hint there.
        bound *= PASSED_OVER if hint and items[0] == "cat" else 1
        page = partial(walk.page, reverse=reverse, hint=hint)
        work = {start: page(start) for start in (-1, *DEPTHS)}
        assert {start: n for start, n in work.items() if n > bound} == {}
        across = {start: page(start) for start in ACROSS}
        # The rows on the other side of the border are one more range.
        limit = bound + BLOCKS * (connection.vendor == "postgresql")
        assert {start: n for start, n in across.items() if n > limit} == {}


def by_offset(_ordering: Ordering, walk: Walk, start: int) -> QuerySet[Deep]:
    return walk.whole[start + 1 : start + SIZE + 2]


def by_row_value(ordering: Ordering, walk: Walk, start: int) -> QuerySet[Deep]:
    beyond = RowsBeyond(ordering.terms, walk.position(start))
    return walk.whole.filter(beyond)[: SIZE + 1]


def by_or(_ordering: Ordering, walk: Walk, start: int) -> QuerySet[Deep]:
    first, second = walk.position(start)
    names = [term.name for term in walk.ordering.terms]
    beyond = Q(**{f"{names[0]}__gt": first})
    tie = Q(**{names[0]: first, f"{names[1]}__gt": second})
    return walk.whole.filter(beyond | tie)[: SIZE + 1]


@pytest.mark.usefixtures("deep")
@pytest.mark.parametrize("deep", ["spread"], indirect=True)
@pytest.mark.parametrize(
    ("database", "form"),
    [
        *((vendor, by_offset) for vendor in ("sqlite", "postgresql", "mariadb")),
        ("sqlite", by_or),
        ("postgresql", by_or),
        ("mariadb", by_row_value),
    ],
    indirect=["database"],
)
def test_other_forms_exceed_the_bound_by_far(
    form: Callable[[Ordering, Walk, int], QuerySet[Deep]],
) -> None:
    walk = Walk(ORDERINGS["uniform"])
    start = ROWS * 9 // 10
    work, rows = count_work(lambda: list(form(walk.ordering, walk, start)))
    assert [row.pk for row in rows] == walk.keys[start + 1 :][: SIZE + 1]
    assert work > 5 * walk.bound()
