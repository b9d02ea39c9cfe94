"""Rows beyond a position: how many queries they take, and whole tables."""

import tracemalloc
from itertools import islice
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, F
from django.db.models.functions import Lower
from django.test.utils import CaptureQueriesContext

from drf_apikit.keyset import keyset_iterator, read_slice, resolve_ordering
from tests.app.models import Article, Author, Remark
from tests.keyset.walking import make_articles

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("database")]


@pytest.fixture
def articles() -> list[int]:
    """Give the keys in the order of the titles."""
    Article.objects.bulk_create(Article(title=f"{n:02}") for n in range(10))
    return list(Article.objects.order_by("title").values_list("pk", flat=True))


def keys(rows: Any) -> list[int]:
    return [row.pk for row in rows]


def test_forward_backward_and_from_both_ends(articles: list[int]) -> None:
    everything = Article.objects.all()
    ordering = resolve_ordering(everything, ["title"])
    first = read_slice(everything, ordering, 4)
    assert (keys(first.rows), first.more) == (articles[:4], True)
    assert first.begin == ("00", articles[0])
    assert first.end == ("03", articles[3])
    second = read_slice(everything, ordering, 4, first.end)
    assert (keys(second.rows), second.more) == (articles[4:8], True)
    third = read_slice(everything, ordering, 4, second.end)
    assert (keys(third.rows), third.more) == (articles[8:], False)
    beyond = read_slice(everything, ordering, 4, third.end)
    assert (beyond.rows, beyond.begin, beyond.end) == ([], None, None)
    again = read_slice(everything, ordering, 4, third.end, inclusive=True)
    assert keys(again.rows) == articles[9:]
    back = read_slice(everything, ordering, 3, third.begin, reverse=True)
    assert (keys(back.rows), back.more) == (articles[5:8], True)
    assert (back.begin, back.end) == (("05", articles[5]), ("07", articles[7]))
    along = read_slice(
        everything, ordering, 3, third.begin, reverse=True, inclusive=True
    )
    assert keys(along.rows) == articles[6:9]
    last = read_slice(everything, ordering, 4, reverse=True)
    assert (keys(last.rows), last.more) == (articles[6:], True)
    start = read_slice(everything, ordering, 4, first.begin, reverse=True)
    assert (start.rows, start.more) == ([], False)
    exact = read_slice(everything, ordering, 10)
    assert (keys(exact.rows), exact.more) == (articles, False)


# The most queries: one for each term, and one for each that may be NULL.
ORDERINGS: list[tuple[list[Any], int, int, int]] = [
    # items, on PostgreSQL, on MariaDB, elsewhere
    ([], 1, 1, 1),
    (["title"], 1, 1, 2),
    (["-title", "-version"], 1, 1, 3),
    (["title", "-version"], 2, 1, 3),
    (["score"], 3, 1, 3),
    (["score", "-created"], 5, 1, 5),
    ([F("score").desc(nulls_last=True)], 3, 2, 3),
    ([F("score").desc(nulls_first=True), F("day").asc(nulls_last=True)], 5, 2, 5),
    (["author__name", Lower("title")], 4, 1, 4),
]


@pytest.mark.parametrize(("items", "postgresql", "mariadb", "sqlite"), ORDERINGS)
def test_a_page_takes_few_queries(
    items: list[Any], postgresql: int, mariadb: int, sqlite: int, database: str
) -> None:
    make_articles(12)
    limit = {"postgresql": postgresql, "mariadb": mariadb, "sqlite": sqlite}[database]
    everything = Article.objects.all()
    ordering = resolve_ordering(everything, items)
    position: Any = None
    counts = []
    for _ in range(13):
        with CaptureQueriesContext(connection) as queries:
            found = read_slice(everything, ordering, 1, position)
            read_slice(everything, ordering, 1, position, reverse=True)
        counts.append(len(queries))
        position = found.end
    assert position is None
    assert max(counts) <= limit * 2
    with CaptureQueriesContext(connection) as queries:
        assert read_slice(everything, ordering, 3).more
    assert len(queries) <= 1 + sum(not term.native for term in ordering.terms)


def test_what_goes_along_is_fetched_once_for_all_parts() -> None:
    make_articles(12)
    first, *_ = Article.objects.all()
    Remark.objects.create(article=first, author_id=Author.objects.all()[0].pk)
    queryset = (
        Article.objects.filter(version__lt=3)
        .select_related("author")
        .prefetch_related("remark_set")
        .annotate(n=Count("remark"))
    )
    ordering = resolve_ordering(queryset, ["score", "-created"])
    position = read_slice(queryset, ordering, 2).end
    with CaptureQueriesContext(connection) as queries:
        found = read_slice(queryset, ordering, 9, position)
        for row in found.rows:
            assert row.author is None or row.author.name
            assert len(row.remark_set.all()) == row.n
    assert sum("remark" in query["sql"].split("FROM")[1][:25] for query in queries) == 1
    assert 2 <= len(queries) <= 6
    assert found.rows[0].__dict__.keys() >= {"title", "n"}


# Whole tables


@pytest.mark.parametrize("size", [1, 3, 9, 10, 11, 2000])
@pytest.mark.parametrize("ordering", [(), "-title", ["score", "-title"], "pk"], ids=str)
def test_an_iterator_gives_every_row_once(
    articles: list[int], ordering: Any, size: int
) -> None:
    names = [ordering] if isinstance(ordering, str) else list(ordering)
    expected = keys(Article.objects.order_by(*names, "pk"))
    rows = keyset_iterator(Article.objects.all(), ordering, size)
    assert keys(rows) == expected
    assert sorted(expected) == sorted(articles)


def test_an_iterator_takes_expressions_and_rows_of_values(articles: list[int]) -> None:
    rows = Article.objects.values("pk")
    by = F("title").desc(nulls_last=True)
    found = list(keyset_iterator(rows, by, chunk_size=3))
    assert found == [{"pk": key} for key in articles[::-1]]


def test_an_iterator_asks_one_chunk_at_a_time(articles: list[int]) -> None:
    with CaptureQueriesContext(connection) as queries:
        rows = keyset_iterator(Article.objects.all(), "title", chunk_size=4)
        assert len(queries) == 0
        assert keys(islice(rows, 4)) == articles[:4]
        assert len(queries) == 1
        assert keys(rows) == articles[4:]
    assert len(queries) <= 5


def test_chunks_that_fill_the_table_need_no_more(articles: list[int]) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert len(list(keyset_iterator(Article.objects.all(), chunk_size=5))) == 10
    assert len(queries) == 2
    assert len(articles) == 10


def test_rows_that_stay_come_once_whatever_happens_between(
    articles: list[int],
) -> None:
    seen: list[int] = []
    rows = keyset_iterator(Article.objects.all(), "title", chunk_size=3)
    for row in rows:
        seen.append(row.pk)
        if len(seen) == 3:
            # The position itself goes; rows come before and behind it.
            Article.objects.filter(pk__in=[articles[2], articles[5]]).delete()
            Article.objects.create(title="00")
            late = Article.objects.create(title="055").pk
    assert seen == [*articles[:5], late, *articles[6:]]


def test_what_is_fetched_along_comes_once_for_each_chunk(articles: list[int]) -> None:
    Remark.objects.bulk_create(
        Remark(article_id=key, author_id=1) for key in articles * 2
    )
    queryset = Article.objects.prefetch_related("remark_set")
    with CaptureQueriesContext(connection) as queries:
        for row in keyset_iterator(queryset, chunk_size=4):
            assert len(row.remark_set.all()) == 2
    assert len(queries) == 6


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_memory_is_that_of_a_chunk() -> None:
    Article.objects.bulk_create(Article(title="x" * 100) for _ in range(800))

    def peak(size: int) -> int:
        tracemalloc.start()
        assert sum(1 for _ in keyset_iterator(Article.objects.all(), (), size)) == 800
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(50)
    assert peak(50) * 4 < peak(800)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("?",), "random"),
        (("nothing",), "no column"),
        (((), 0), "at least one row"),
        (((), -5), "at least one row"),
    ],
    ids=str,
)
def test_what_cannot_be_iterated_is_told_at_once(
    arguments: tuple[Any, ...], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        keyset_iterator(Article.objects.all(), *arguments)
    with pytest.raises(ValueError, match="a slice"):
        keyset_iterator(Article.objects.all()[:5])
