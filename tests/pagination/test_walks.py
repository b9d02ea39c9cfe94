"""No walk loses, repeats or misplaces a row.

The suite runs a sample in which each pair of columns, each page size, and each of
them on each database occurs; `FULL_MATRIX=1` runs every page size of every ordering.
"""

import os
import random
from collections.abc import Iterator
from itertools import chain, combinations, permutations, product
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.http import QueryDict

from tests.app.models import Article, Book, Seat, Shelf
from tests.databases import VENDORS
from tests.pagination.walking import COLUMNS, MOMENT, List, Page, make_articles

FULL = os.environ.get("FULL_MATRIX") == "1"
ROWS = 10
SIZES = range(1, ROWS + 2)
SEED = 4


def orderings() -> Iterator[tuple[str, ...]]:
    """Give each column in both directions, each pair, and some of three."""
    rng = random.Random(SEED)

    def signed(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(rng.choice(["", "-"]) + name for name in names)

    yield ()
    yield from (((f"{sign}{name}",)) for name, sign in product(COLUMNS, ["", "-"]))
    pairs = list(permutations(COLUMNS, 2) if FULL else combinations(COLUMNS, 2))
    yield from (signed(pair) for pair in pairs)
    triples = list(permutations(COLUMNS, 3))
    yield from (signed(three) for three in rng.sample(triples, 300 if FULL else 15))


ORDERINGS = list(orderings())


def cells() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give each ordering on each database; in the sample, several columns on one."""
    for vendor, (index, names) in product(VENDORS, enumerate(ORDERINGS)):
        if FULL or len(names) < 2 or VENDORS[index % len(VENDORS)] == vendor:
            yield vendor, names


def in_words(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ",".join(value) or "key"


def sizes_of(names: tuple[str, ...]) -> list[int]:
    """Give the page sizes of an ordering: all, or one in turn."""
    return list(SIZES) if FULL else [SIZES[ORDERINGS.index(names) % len(SIZES)]]


def expected(names: tuple[str, ...]) -> list[Any]:
    """Give all keys by one unpaginated ORDER BY, placed as the database likes."""
    key = "-pk" if names and names[-1].startswith("-") else "pk"
    return list(Article.objects.order_by(*names, key).values_list("pk", flat=True))


def rows_of(pages: list[Page]) -> list[Any]:
    return list(chain.from_iterable(page.rows for page in pages))


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("database", "names"), list(cells()), indirect=["database"], ids=in_words
)
def test_every_walk_finds_every_row_once(names: tuple[str, ...]) -> None:
    make_articles(ROWS, seed=len(names))
    whole = expected(names)
    articles = List(Article.objects.all, names)
    for size in sizes_of(names):
        pages = articles.forward(articles.first(size))
        assert [page.rows for page in pages] == chunks(whole, size)
        assert {page.count for page in pages} == {ROWS}
        assert pages[0].previous is None
        back = articles.backward(pages[-1])
        assert rows_of(back[::-1]) == whole
        # From behind, the odd rows are at the front.
        assert [len(page.rows) for page in back[1:-1]] == [size] * (len(back) - 2)
        zigzag(articles, pages[0], whole, size)


def chunks(whole: list[Any], size: int) -> list[list[Any]]:
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def zigzag(articles: List, page: Page, whole: list[Any], size: int) -> None:
    """Go on and back at random; each page is the slice that it must be."""
    rng = random.Random(size)
    start, end = 0, len(page.rows)
    for _ in range(4):
        if page.next and (rng.random() < 0.6 or not page.previous):
            page = articles.get(page.next)
            start, end = end, min(end + size, len(whole))
        elif page.previous:
            page = articles.get(page.previous)
            start, end = max(start - size, 0), start
        assert page.rows == whole[start:end]
        assert bool(page.next) == (end < len(whole))


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("names", "tie"),
    [(("created",), MOMENT), (("-created", "score"), None), (("author",), MOMENT)],
    ids=["a moment", "null", "no author"],
)
def test_more_than_a_thousand_ties_lose_nothing(
    names: tuple[str, ...], tie: Any
) -> None:
    Article.objects.bulk_create(Article(created=tie) for _ in range(1100))
    Article.objects.bulk_create(Article(score=n) for n in range(10))
    whole = expected(names)
    articles = List(Article.objects.all, names)
    pages = articles.forward(articles.first(400))
    assert rows_of(pages) == whole
    assert rows_of(articles.backward(pages[-1])[::-1]) == whole


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("names", [(), ("-pk",), ("price", "-line"), ("number",)])
def test_a_composite_key_walks_as_well(names: tuple[str, ...]) -> None:
    Seat.objects.bulk_create(
        Seat(line=line, number=number, price=number % 2)
        for line, number in product("cab", range(5))
    )
    key = "-pk" if names and names[-1].startswith("-") else "pk"
    whole = [seat.pk for seat in Seat.objects.order_by(*names, key)]
    seats = List(Seat.objects.all, names)
    for size in (2, 4):
        pages = seats.forward(seats.first(size))
        assert rows_of(pages) == whole
        assert rows_of(seats.backward(pages[-1])[::-1]) == whole


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_a_relation_walks_in_the_order_of_its_model() -> None:
    shelves = [Shelf.objects.create(name=name) for name in "bca"]
    Book.objects.bulk_create(
        Book(title=f"{n % 3}", shelf=[*shelves, None][n % 4]) for n in range(16)
    )
    whole = [book.pk for book in Book.objects.order_by("shelf", "-title", "-pk")]
    books = List(Book.objects.all, ["shelf", "-title"])
    pages = books.forward(books.first(3))
    assert rows_of(pages) == whole
    assert rows_of(books.backward(pages[-1])[::-1]) == whole


@pytest.mark.django_db
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ["ratio", "-ratio"])
def test_postgresql_knows_more_floats(name: str) -> None:
    values = [float("nan"), float("inf"), float("-inf"), 0.0, -0.0]
    Article.objects.bulk_create(Article(ratio=value) for value in values * 3)
    articles = List(Article.objects.all, [name])
    pages = articles.forward(articles.first(2))
    assert rows_of(pages) == expected((name,))
    assert rows_of(articles.backward(pages[-1])[::-1]) == expected((name,))


LIVE = [("created", "score"), ("-score",), ("author__name", "-created")]


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("names", LIVE, ids=",".join)
@pytest.mark.parametrize("link", ["next", "previous"])
def test_deleting_what_was_just_seen_loses_nothing(
    names: tuple[str, ...], link: str
) -> None:
    make_articles(20)
    whole = expected(names)
    articles = List(Article.objects.all, names)
    page = articles.first(3)
    if link == "previous":
        page = articles.get(articles.forward(page)[-1].previous)
        whole = [key for key in whole[::-1] if key not in whole[18:]]
    seen: list[Any] = []
    while True:
        seen += page.rows if link == "next" else page.rows[::-1]
        Article.objects.filter(pk__in=page.rows).delete()
        url = getattr(page, link)
        if not url:
            break
        page = articles.get(url)
    assert seen == whole


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("names", LIVE, ids=",".join)
def test_an_empty_page_behind_leads_back_without_loss(names: tuple[str, ...]) -> None:
    make_articles(12)
    whole = expected(names)
    articles = List(Article.objects.all, names)
    second = articles.get(articles.first(4).next)
    Article.objects.filter(pk__in=whole[8:]).delete()
    empty = articles.get(second.next)
    assert (empty.rows, empty.next) == ([], None)
    # Counted at the beginning of the walk.
    assert empty.count == 12
    back = articles.backward(empty)
    assert rows_of(back[::-1]) == whole[:8]
    Article.objects.all().delete()
    nothing = articles.get(empty.previous)
    assert (nothing.rows, nothing.previous, nothing.count) == ([], None, 12)
    assert articles.get(nothing.next).rows == []


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("names", LIVE, ids=",".join)
def test_an_empty_page_before_leads_on_without_loss(names: tuple[str, ...]) -> None:
    make_articles(12)
    whole = expected(names)
    articles = List(Article.objects.all, names)
    second = articles.get(articles.first(4).next)
    Article.objects.filter(pk__in=whole[:4]).delete()
    empty = articles.get(second.previous)
    assert (empty.rows, empty.previous, empty.count) == ([], None, 12)
    assert rows_of(articles.forward(empty)) == whole[4:]


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_the_page_size_may_change_on_the_way() -> None:
    make_articles(20)
    whole = expected(("-created", "title"))
    articles = List(Article.objects.all, ["-created", "title"])
    page = articles.first(1)
    seen = page.rows
    for size in (7, 2, 3, 100):
        url = urlsplit(page.next or "")
        query = QueryDict(url.query, mutable=True)
        query["page_size"] = str(size)
        page = articles.get(f"{url.path}?{query.urlencode()}")
        seen = seen + page.rows
    assert seen == whole
    assert page.next is None
