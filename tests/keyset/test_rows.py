"""All shapes that the rows of a queryset can have."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import (
    Avg,
    BigIntegerField,
    BinaryField,
    Count,
    F,
    OrderBy,
    Q,
    Sum,
    Value,
)
from django.db.models.functions import Lower
from pytest_django import DjangoAssertNumQueries

from drf_apikit.keyset import ordering_of, read_slice, resolve_ordering
from drf_apikit.keyset.rows import read_value
from tests.app.models import Article, Author
from tests.keyset.walking import make_articles, rows_in_pages

LARGE = Value(10_000_000_000, output_field=BigIntegerField())
EMPTY = Article.objects.none


def assert_pages(queryset: Any, items: list[Any], limit: int = 2) -> list[Any]:
    """See that pages have the rows of one large page, all of them, each once."""
    whole = read_slice(queryset, resolve_ordering(queryset, items), 1000).rows
    assert len(whole) == queryset.order_by().count() > 0
    pages = rows_in_pages(queryset, items, limit)
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert [row for page in pages for row in page] == whole
    return whole


# Rows of values()


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "items",
    [
        ["title"],
        ["-author__name", "created"],
        [Lower("title").desc(), F("score").asc(nulls_last=True)],
        ["price"],
        ["-pk"],
    ],
    ids=str,
)
def test_values_have_what_was_chosen_and_no_more(items: list[Any]) -> None:
    make_articles(9)
    for names in (["title"], ["id", "title"], ["author__name"], []):
        rows = assert_pages(Article.objects.values(*names), items)
        assert set(rows[0]) == set(next(iter(Article.objects.values(*names))))


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "aggregate",
    [
        Count("pk"),
        Avg("version"),
        Avg("ratio", filter=Q(ratio__lt=1, ratio__gt=-1)),
        Avg("price"),
        Sum("price"),
        Avg("span"),
        Sum(F("version") * LARGE),
        Sum("version", filter=Q(score=2)),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["found", "-found"])
def test_groups_are_rows(aggregate: Any, name: str) -> None:
    make_articles(30)
    groups = Article.objects.values("score").annotate(found=aggregate)
    rows = assert_pages(groups, [name])
    assert set(rows[0]) == {"score", "found"}
    assert len(rows) == 4


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("items", [["n"], ["-n"], ["-by"], [], ["by", "-n"]], ids=str)
@pytest.mark.parametrize(
    "by", [F("author__name"), Lower("title"), F("author")], ids=str
)
def test_groups_by_anything(by: Any, items: list[str]) -> None:
    make_articles(30)
    queryset = Article.objects.annotate(by=by).values("by")
    assert_pages(queryset.annotate(n=Count("id")), items)
    assert_pages(queryset.annotate(n=Avg("version")), items)


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_groups_by_another_row() -> None:
    make_articles(30)
    groups = Article.objects.values("author__name").annotate(n=Avg("version"))
    assert_pages(groups, ["n"])
    assert_pages(groups, ["-author__name"])
    assert_pages(Author.objects.annotate(n=Count("articles")).values("id", "n"), ["n"])


@pytest.mark.parametrize(
    "groups",
    [
        Article.objects.values("version").annotate(n=Count("id")).values("n"),
        Article.objects.values("author__name")
        .annotate(name=Count("id"))
        .values("name"),
        Article.objects.annotate(low=Lower("title"))
        .values("low")
        .annotate(n=Count("id"))
        .values("n"),
        Author.objects.annotate(n=Count("articles")).values("name", "n"),
    ],
    ids=["column", "column of the same name", "expression", "primary key"],
)
def test_groups_without_what_they_are_grouped_by_cannot_be_told_apart(
    groups: Any,
) -> None:
    with pytest.raises(ValueError, match="grouped rows lack what they are grouped by"):
        resolve_ordering(groups, ["n" if "n" in groups.query.annotations else "name"])


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("names", "items"),
    [
        (["score"], ["score"]),
        (["score"], [F("score").desc(nulls_first=True)]),
        (["score"], [F("score").desc(nulls_last=True)]),
        (["score"], []),
        (["price", "version"], ["price"]),
        (["price", "version"], ["-version"]),
        (["author__name", "author_id"], ["author__name"]),
        (["author__name", "author_id"], ["-author"]),
        (["title"], ["-title"]),
        (["id", "title"], ["title"]),
    ],
    ids=str,
)
def test_distinct_values(names: list[str], items: list[Any]) -> None:
    make_articles(30)
    rows = assert_pages(Article.objects.values(*names).distinct(), items)
    assert set(rows[0]) == set(names)


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("names", [["score"], ["score", "day"]], ids=",".join)
@pytest.mark.parametrize("place", ["nulls_last", "nulls_first"])
def test_beyond_each_distinct_row(names: list[str], place: str, reverse: bool) -> None:
    make_articles(30)
    distinct = Article.objects.values(*names).distinct()
    ordering = resolve_ordering(distinct, [OrderBy(F("score"), True, **{place: True})])
    whole = read_slice(distinct, ordering, 100)
    for index, row in enumerate(whole.rows):
        position = ordering.values_of(row)
        found = read_slice(distinct, ordering, 100, position, reverse=reverse)
        others = whole.rows[:index] if reverse else whole.rows[index + 1 :]
        assert found.rows == others
        along = read_slice(
            distinct, ordering, 100, position, reverse=reverse, inclusive=True
        )
        assert along.rows == ([*others, row] if reverse else [row, *others])


def test_a_driver_may_give_bytes_as_a_view_of_memory() -> None:
    assert read_value({"key": memoryview(b"ab")}, "key", BinaryField()) == b"ab"


@pytest.mark.parametrize("item", ["title", Lower("score"), "author__name"], ids=str)
def test_distinct_rows_are_ordered_by_what_they_have(item: Any) -> None:
    distinct = Article.objects.values("score").distinct()
    with pytest.raises(ValueError, match="grouped and distinct rows have no"):
        resolve_ordering(distinct, [item])


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_distinct_models() -> None:
    make_articles(30)
    authors = Author.objects.filter(articles__version__lt=2).distinct()
    assert_pages(authors, ["name"])
    assert_pages(authors, [Lower("name").desc()])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "options", [{}, {"named": True}, {"flat": True}], ids=["plain", "named", "flat"]
)
def test_tuples_are_refused(options: dict[str, bool]) -> None:
    Article.objects.create(title="x")
    tuples = Article.objects.values_list("title", **options)
    with pytest.raises(ValueError, match=r"the rows have no '\w+'"):
        read_slice(tuples, resolve_ordering(tuples, ["title"]), 1)


@pytest.mark.django_db
def test_tuples_are_refused_with_a_hint() -> None:
    Article.objects.create(title="x")
    tuples = Article.objects.values_list("id", "title")
    with pytest.raises(ValueError, match=r"the rows have no 'title'; use values\(\)"):
        read_slice(tuples, resolve_ordering(tuples, ["title"]), 1)


# Rows that lack columns


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "narrow",
    [
        lambda articles: articles.only("title"),
        lambda articles: articles.only("pk"),
        lambda articles: articles.defer("score", "version"),
        lambda articles: articles.defer("title").defer("author_id"),
        lambda articles: articles.only("author__name").select_related("author"),
        lambda articles: articles.only("score").defer("score"),
    ],
    ids=["only", "only pk", "defer", "defer twice", "only related", "both"],
)
@pytest.mark.parametrize(
    "items",
    [["-score", "version"], ["author"], ["author_id", "title"], ["pk"]],
    ids=str,
)
def test_a_deferred_column_costs_no_query(
    narrow: Callable[[Any], Any],
    items: list[str],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_articles(9)
    queryset = narrow(Article.objects.select_related(None))
    ordering = resolve_ordering(queryset, items)
    with django_assert_num_queries(1):
        found = read_slice(queryset, ordering, 100)
    assert len(found.rows) == 9
    deferred = narrow(Article.objects.all())[0].get_deferred_fields()
    assert found.rows[0].get_deferred_fields() == deferred
    rows = [row for page in rows_in_pages(queryset, items, 2) for row in page]
    assert rows == found.rows


# What pages cannot be cut from


@pytest.mark.parametrize(
    ("queryset", "what"),
    [
        ([], "a list is no queryset"),
        (Article, "a ModelBase is no queryset"),
        (Article.objects, "Manager.* is no queryset"),
        (Article.objects.all()[:5], "a slice"),
        (Article.objects.all().union(Article.objects.all()), "a union"),
        (Article.objects.all().intersection(Article.objects.all()), "a union"),
        (Article.objects.distinct("title"), "DISTINCT ON"),
        (Article.objects.extra(order_by=["title"]), "extra"),
    ],
    ids=["list", "model", "manager", "slice", "union", "intersection", "on", "extra"],
)
def test_what_has_no_positions_is_refused(queryset: Any, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        resolve_ordering(queryset, ["pk"])
    with pytest.raises(ValueError, match=what):
        ordering_of(queryset)


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_no_rows_are_a_page_as_well() -> None:
    ordering = resolve_ordering(EMPTY(), ["title"])
    found = read_slice(EMPTY(), ordering, 5)
    assert (found.rows, found.begin, found.end, found.more) == ([], None, None, False)
