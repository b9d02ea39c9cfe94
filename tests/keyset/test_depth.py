"""The deep end costs what the beginning does, counted in the database's own work."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Q, QuerySet
from pytest_django import DjangoDbBlocker

from drf_apikit.keyset import Ordering, ordered, read_slice, resolve_ordering
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
#: Blocks that PostgreSQL may read more: another way down the index.
BLOCKS = 3

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", params=["spread", "clustered"])
def deep(
    request: pytest.FixtureRequest,
    database: str,
    django_db_setup: Databases,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    with django_db_blocker.unblock(), deep_table():
        fill(ROWS, clustered=request.param == "clustered")
        django_db_blocker.restore()
        yield
        django_db_blocker.unblock()
        # The next test may have made another one the default by now.
        django_db_setup.use(database)


class Walk:
    """Pages of one ordering, with what each has cost."""

    def __init__(self, items: tuple[Any, ...]) -> None:
        self.ordering = resolve_ordering(DEEP, items)
        self.whole = ordered(DEEP, self.ordering)
        self.keys = list(self.whole.values_list("pk", flat=True))

    def page(self, start: int | None, *, reverse: bool = False) -> int:
        """Read a page behind a row, or before it; give its work."""
        begin = -1 if start is None else start
        keys = self.keys[::-1] if reverse else self.keys
        position = None if start is None else self.position(start, reverse=reverse)
        work, found = count_work(
            lambda: read_slice(DEEP, self.ordering, SIZE, position, reverse=reverse)
        )
        rows = [row.pk for row in found.rows]
        assert rows[:: -1 if reverse else 1] == keys[begin + 1 :][:SIZE]
        return work

    def position(self, start: int, *, reverse: bool = False) -> tuple[Any, ...]:
        row = self.whole[ROWS - 1 - start if reverse else start]
        return self.ordering.values_of(row)

    def bound(self) -> float:
        """Give what any page may cost: a little more than the second from an end."""
        second = max(self.page(SIZE - 1), self.page(SIZE - 1, reverse=True))
        return second * 1.1 + BLOCKS * (connection.vendor == "postgresql")


@pytest.mark.usefixtures("deep")
@pytest.mark.parametrize("items", ORDERINGS.values(), ids=ORDERINGS)
def test_no_page_costs_more_than_the_second(items: tuple[Any, ...]) -> None:
    walk = Walk(items)
    bound = walk.bound()
    for reverse in (False, True):
        work = {start: walk.page(start, reverse=reverse) for start in [None, *DEPTHS]}
        assert {start: n for start, n in work.items() if n > bound} == {}
        across = {start: walk.page(start, reverse=reverse) for start in ACROSS}
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
