"""The form that a page has on each database, and what it leaves alone."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, F, OrderBy
from django.db.models.functions import Lower
from pytest_django import DjangoAssertNumQueries

from drf_apikit.keyset import ordered, plan, resolve_ordering
from drf_apikit.keyset.planner import Dialect, dialect_of
from tests.app.models import Article, Author, Book, Novel, Seat, Shelf
from tests.keyset.walking import assert_walks, make_articles, rows_in_pages

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("database")]

DIALECTS = "drf_apikit.keyset.planner._DIALECTS"


def conditions(items: list[Any], position: tuple[Any, ...] | None) -> list[str]:
    """Give what each query asks for, without quotes and the table's name."""
    queryset = Article.objects.only("pk")
    ordering = resolve_ordering(queryset, items)
    found = []
    for part in plan(queryset, ordering, position):
        _, _, sql = str(part.query).partition(" WHERE ")
        plain = sql.partition(" ORDER BY ")[0]
        for mark in ('"', "`", "tests_app_article."):
            plain = plain.replace(mark, "")
        found.append(plain)
    return found


MIXED = (
    "(version <= 1 AND (version < 1 OR (version = 1 AND ratio > 2.5) OR"
    " (version = 1 AND ratio = 2.5 AND id > 7)))"
)
FORMS: list[tuple[list[Any], tuple[Any, ...] | None, dict[str, list[str]]]] = [
    (
        [],
        (7,),
        {
            "sqlite": ["id > 7"],
            "postgresql": ["id > 7"],
            "mariadb": ["(id >= 7 AND id > 7)"],
        },
    ),
    (
        ["version"],
        (1, 7),
        {
            "sqlite": ["(version = 1 AND id > 7)", "version > 1"],
            "postgresql": ["(version, id) > (1, 7)"],
            "mariadb": ["(version >= 1 AND (version > 1 OR (version = 1 AND id > 7)))"],
        },
    ),
    (
        ["-version", "-ratio"],
        (1, 2.5, 7),
        {
            "sqlite": [
                "(version = 1 AND ratio = 2.5 AND id < 7)",
                "(version = 1 AND ratio < 2.5)",
                "version < 1",
            ],
            "postgresql": ["(version, ratio, id) < (1, 2.5, 7)"],
            "mariadb": [MIXED.replace("> ", "< ")],
        },
    ),
    (
        ["-version", "ratio"],
        (1, 2.5, 7),
        {
            "sqlite": [
                "(version = 1 AND ratio = 2.5 AND id > 7)",
                "(version = 1 AND ratio > 2.5)",
                "version < 1",
            ],
            "postgresql": ["(version = 1 AND (ratio, id) > (2.5, 7))", "version < 1"],
            "mariadb": [MIXED],
        },
    ),
    (
        ["score"],
        (3, 7),
        {
            # PostgreSQL has NULLs behind, the others have them before.
            "sqlite": ["(score = 3 AND id > 7)", "score > 3"],
            "postgresql": ["(score = 3 AND id > 7)", "score > 3", "score IS NULL"],
            "mariadb": ["(score > 3 OR (score = 3 AND id > 7))"],
        },
    ),
    (
        [F("score").asc(nulls_last=True)],
        None,
        {
            "sqlite": ["score IS NOT NULL", "score IS NULL"],
            "postgresql": [""],
            "mariadb": ["score IS NOT NULL", "score IS NULL"],
        },
    ),
    (
        [F("score").asc(nulls_first=True)],
        None,
        {
            "sqlite": [""],
            "postgresql": ["score IS NULL", "score IS NOT NULL"],
            "mariadb": [""],
        },
    ),
]


@pytest.mark.parametrize(("items", "position", "forms"), FORMS)
def test_each_database_has_its_form(
    items: list[Any],
    position: tuple[Any, ...] | None,
    forms: dict[str, list[str]],
    database: str,
) -> None:
    assert conditions(items, position) == forms[database]


def placements(name: str) -> list[Any]:
    """Give a column in both directions, with NULLs at each end and at their own."""
    places: list[dict[str, bool]] = [{}, {"nulls_first": True}, {"nulls_last": True}]
    return [
        OrderBy(F(name), descending=descending, **place)
        for descending in (False, True)
        for place in places
    ]


@pytest.mark.parametrize("index", range(6))
@pytest.mark.parametrize("place", ["leading", "middle", "last", "both"])
def test_nulls_are_where_they_are_asked_to_be(place: str, index: int) -> None:
    make_articles(9)
    score, day = placements("score")[index], placements("day")[-1 - index]
    items: dict[str, list[Any]] = {
        "leading": [score, "version"],
        "middle": ["version", score, "title"],
        "last": ["-flag", score],
        "both": [score, day],
    }
    assert_walks(Article.objects.all(), items[place], 3)


@pytest.mark.parametrize(
    "items", [[], ["-score"], ["flag", "score"], ["-author__name"]]
)
def test_a_reversed_queryset_is_walked_as_it_is_told(items: list[str]) -> None:
    make_articles(9)
    # The ordering is given, so that `reverse()` is in it already.
    forward = Article.objects.all()
    backward = Article.objects.order_by("title").reverse()
    whole = rows_in_pages(forward, items, 4)
    assert rows_in_pages(backward, items, 4) == whole
    ordering = resolve_ordering(backward, items)
    assert list(ordered(backward, ordering)) == [row for page in whole for row in page]


def test_all_rows_in_one_query_have_nothing_added() -> None:
    make_articles(9)
    for queryset in (Article.objects.values("title"), Article.objects.only("title")):
        ordering = resolve_ordering(queryset, ["-author__name", Lower("title")])
        rows = list(ordered(queryset, ordering))
        pages = rows_in_pages(queryset, ["-author__name", Lower("title")], 4)
        assert rows == [row for page in pages for row in page]
        assert not any(
            "_keyset" in name for name in vars(queryset.query)["annotations"]
        )


def test_what_the_queryset_does_stays(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_articles(20)
    authors = (
        Author.objects.filter(articles__version__gt=0)
        .annotate(n=Count("articles"))
        .filter(n__gt=1)
        .order_by("-pk")
    )
    assert_walks(authors, ["n"], 1)
    assert_walks(authors, ["-n", Lower("name")], 2)
    assert_walks(authors, [Lower("name").desc(nulls_last=True)], 1)
    articles = (
        Article.objects.filter(flag=False)
        .exclude(author__name="Bo")
        .select_related("author")
        .annotate(remarks=Count("remark"), low=Lower("author__name"))
    )
    for items in (["low", "-remarks"], ["-author__name", Lower("low")], ["score"]):
        assert_walks(articles, items, 2)
    (query, *_) = plan(articles, resolve_ordering(articles, ["low"]))
    row = query.exclude(author=None)[0]
    with django_assert_num_queries(0):
        assert row.author.name


@pytest.mark.parametrize(
    "items", [[], ["-pk"], ["price"], ["-price", "line"], ["number"]]
)
def test_a_composite_key_walks(items: list[str]) -> None:
    Seat.objects.bulk_create(
        Seat(line=line, number=number, price=number % 2)
        for line in "bca"
        for number in (3, 1, 2)
    )
    assert_walks(Seat.objects.all(), items, 2)


@pytest.mark.parametrize(
    "items",
    [[], ["shelf", "-title"], ["-pages"], ["title"], ["-id"], ["-sequel_of_id"]],
)
def test_a_row_in_two_tables_walks(items: list[str]) -> None:
    shelves = [Shelf.objects.create(name=name) for name in "bca"]
    former: Book | None = None
    for number in range(9):
        novel = Novel.objects.create(
            title=str(number % 2),
            pages=number % 3 or None,
            shelf=(*shelves, None)[number % 4],
            sequel_of=former,
        )
        former = novel if number % 3 else None
    assert_walks(Novel.objects.all(), items, 2)
    assert_walks(Book.objects.all(), [name for name in items if "pages" not in name], 2)


@pytest.mark.parametrize("items", [["version"], ["-score", "title"], [Lower("title")]])
def test_a_database_that_is_not_known_has_a_correct_form(
    items: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DIALECTS, {})
    assert dialect_of(Article.objects.all()) == Dialect()
    make_articles(9)
    assert_walks(Article.objects.all(), items, 2)


@pytest.mark.parametrize("flags", [(a, b) for a in (0, 1) for b in (0, 1)], ids=str)
def test_every_form_is_correct_on_every_database(
    flags: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    dialect = Dialect(*map(bool, flags))
    monkeypatch.setattr(DIALECTS, dict.fromkeys(("mysql", connection.vendor), dialect))
    make_articles(9)
    for items in (
        ["-version", "title"],
        ["score", F("day").desc(nulls_first=True)],
        [F("score").asc(nulls_last=True), "-flag"],
        [F("score").desc(nulls_first=True), F("day").asc(nulls_last=True)],
    ):
        assert_walks(Article.objects.all(), items, 2)


def test_a_position_has_one_value_for_each_term() -> None:
    ordering = resolve_ordering(Article.objects.all(), ["version"])
    for position in [(1,), (1, 2, 3)]:
        with pytest.raises(ValueError, match="one value for each term"):
            plan(Article.objects.all(), ordering, position)
