"""Joins to many rows: a row comes once, or it is said that it cannot."""

from typing import Any

import pytest
from django.db.models import Count, Exists, F, OuterRef, QuerySet

from drf_apikit.keyset import (
    OrderingError,
    Total,
    count_rows,
    each_once,
    keyset_iterator,
    read_slice,
    resolve_ordering,
)
from tests.app.models import Article, Author

REPEATED = Author.objects.filter(articles__version=1)


@pytest.fixture
def authors() -> list[Author]:
    """Three authors; each has two articles of version 0 and two of version 1."""
    made = [Author.objects.create(name=name) for name in ("Ada", "Bo", "Cy")]
    Article.objects.bulk_create(
        Article(author=author, version=n % 2) for author in made for n in range(4)
    )
    return made


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7])
def test_a_row_that_a_filter_repeats_comes_once(
    authors: list[Author], limit: int
) -> None:
    assert len(REPEATED.all()) == 6
    assert list(keyset_iterator(REPEATED.all(), "name", limit)) == authors
    ordering = resolve_ordering(REPEATED.all(), ["-name"])
    found = read_slice(REPEATED.all(), ordering, limit, reverse=True)
    assert found.rows == authors[:limit][::-1]
    assert found.more == (limit < 3)
    if found.begin is not None:
        along = read_slice(
            REPEATED.all(), ordering, limit, found.begin, reverse=True, inclusive=True
        )
        assert along.rows[-1] == found.rows[0]


@pytest.mark.django_db
@pytest.mark.usefixtures("database", "authors")
def test_it_is_counted_once() -> None:
    assert count_rows(REPEATED.all()) == Total(6, "exact")
    assert count_rows(each_once(REPEATED.all())) == Total(3, "exact")
    bounded = count_rows(each_once(REPEATED.all()), "bounded", bound=2)
    assert bounded == Total(2, "at_least")


@pytest.mark.parametrize(
    "queryset",
    [
        Author.objects.all(),
        REPEATED.distinct(),
        Author.objects.annotate(n=Count("articles")),
        Author.objects.filter(
            Exists(Article.objects.filter(author=OuterRef("pk"), version=1))
        ),
        Article.objects.filter(author__name="Ada"),
    ],
    ids=["no join", "distinct", "grouped", "subquery", "to one"],
)
def test_what_repeats_nothing_is_counted_as_it_is(queryset: QuerySet[Any]) -> None:
    assert each_once(queryset) is queryset


@pytest.mark.parametrize(
    "queryset",
    [
        Author.objects.annotate(title=F("articles__title")),
        Author.objects.annotate(title=F("articles__title")).distinct(),
        Author.objects.values("name", "articles__title"),
        Author.objects.values("name", "articles__author__name"),
    ],
    ids=["annotation", "distinct", "values", "behind it"],
)
def test_rows_that_show_the_many_are_refused(queryset: QuerySet[Any]) -> None:
    with pytest.raises(OrderingError, match="prefetch_related"):
        resolve_ordering(queryset, ["name"])
