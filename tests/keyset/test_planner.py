"""The query for the rows beyond a position, without any page around it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from drf_apikit.keyset import Ordering, Term, resolve_ordering, seek
from tests.app.models import Article, Author, Seat

ORDERINGS = [
    [],
    ["-pk"],
    ["score"],
    ["-score"],
    ["flag", "-score"],
    ["-score", "-created"],
    ["created", "-title", "score"],
    ["author__name", "-flag"],
    ["-author"],
]


@pytest.fixture
def articles() -> None:
    ada, bob = (Author.objects.create(name=name) for name in ("Ada", "Bob"))
    Article.objects.bulk_create(
        Article(
            title="ab"[n % 2],
            score=None if n % 4 == 0 else n % 3,
            created=None if n % 5 == 0 else datetime(2026, 1, 1 + n % 2, tzinfo=UTC),
            flag=n % 3 == 0,
            author=(ada, bob, None)[n % 3],
        )
        for n in range(12)
    )


def expected(names: list[str]) -> list[int]:
    """Give all ids in the database's own order, the key as the last column."""
    key = "-pk" if names and names[-1].startswith("-") else "pk"
    ids = Article.objects.order_by(*names, key).values_list("pk", flat=True)
    return list(ids)


@pytest.mark.django_db
@pytest.mark.usefixtures("database", "articles")
@pytest.mark.parametrize("names", ORDERINGS, ids=",".join)
def test_beyond_each_row_are_all_rows_behind_it(names: list[str]) -> None:
    queryset = Article.objects.all()
    ordering = resolve_ordering(queryset, names)
    rows = list(seek(queryset, ordering))
    ids = [row.pk for row in rows]
    assert ids == expected(names)
    back = ordering.reversed()
    for index, row in enumerate(rows):
        values = ordering.values_of(row)
        assert pks(seek(queryset, ordering, values)) == ids[index + 1 :]
        assert pks(seek(queryset, ordering, values, inclusive=True)) == ids[index:]
        assert pks(seek(queryset, back, values)) == ids[:index][::-1]
        along = pks(seek(queryset, back, values, inclusive=True))
        assert along == ids[: index + 1][::-1]


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_a_composite_key_is_a_position() -> None:
    Seat.objects.bulk_create(
        Seat(line=line, number=number, price=number % 2)
        for line in "ba"
        for number in (3, 1, 2)
    )
    queryset = Seat.objects.all()
    ordering = resolve_ordering(queryset, ["-price"])
    rows = list(seek(queryset, ordering))
    found = [(row.price, row.line, row.number) for row in rows]
    assert found == sorted(found, reverse=True)
    for index, row in enumerate(rows):
        beyond = seek(queryset, ordering, ordering.values_of(row))
        assert list(beyond) == rows[index + 1 :]


@pytest.mark.django_db
@pytest.mark.usefixtures("database", "articles")
def test_nothing_is_beyond_the_nulls_of_an_ordering_that_ends_with_them() -> None:
    last = Term("score", False, nullable=True, nulls_last=True, kind="IntegerField")
    ordering = Ordering(Article, (last,))
    assert pks(seek(Article.objects.all(), ordering, (None,))) == []


@pytest.mark.parametrize(
    ("names", "bounded"),
    [([], True), (["-version"], True), (["score"], False), (["-author__name"], False)],
    ids=str,
)
def test_only_a_column_that_is_never_null_bounds_the_rows(
    names: list[str], bounded: bool
) -> None:
    queryset = Article.objects.all()
    ordering = resolve_ordering(queryset, names)
    sql = str(seek(queryset, ordering, (1,) * len(ordering.terms)).query)
    assert (">= " in sql or "<= " in sql) == bounded
    assert ("IS NULL" in sql) <= (not bounded)


def test_a_position_has_one_value_for_each_column() -> None:
    ordering = resolve_ordering(Article.objects.all(), ["score"])
    with pytest.raises(ValueError, match=r"shorter|longer"):
        seek(Article.objects.all(), ordering, (1,))


@pytest.mark.django_db
@pytest.mark.usefixtures("database", "articles")
def test_what_the_queryset_selects_stays() -> None:
    queryset = Article.objects.filter(flag=True).select_related("author").only("score")
    ordering = resolve_ordering(queryset, ["-author__name"])
    rows = list(seek(queryset.only("score", "author__name"), ordering))
    assert all(row.flag for row in rows)
    assert rows[0].get_deferred_fields() >= {"title", "price"}
    assert list(names_of(rows)) == [row.author and row.author.name for row in rows]


def names_of(rows: list[Article]) -> Iterator[Any]:
    ordering = resolve_ordering(Article.objects.all(), ["-author__name"])
    return (ordering.values_of(row)[0] for row in rows)


def pks(rows: Any) -> list[int]:
    return [row.pk for row in rows]
