"""Wrong one way costs a little, wrong the other way loses rows."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import (
    Avg,
    Case,
    CharField,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    IntegerField,
    Min,
    OuterRef,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import (
    Cast,
    Coalesce,
    Collate,
    Concat,
    Length,
    Lower,
    LTrim,
    NullIf,
    Reverse,
    RTrim,
    Trim,
    Upper,
)

from drf_apikit.keyset import plan, resolve_ordering
from tests.app.models import Article, Author, Remark

ONE = Author.objects.filter(pk=OuterRef("pk")).values("name")
NEVER: list[Any] = [
    "title",
    "id",
    F("version"),
    Lower("title"),
    Upper(Trim(LTrim(RTrim("title")))),
    Reverse("title"),
    Length("title"),
    Collate("title", "NOCASE"),
    ExpressionWrapper(F("version"), output_field=IntegerField()),
    Coalesce("score", "score", Value(1)),
    Coalesce("score", F("id"), output_field=IntegerField()),
    pytest.param(Coalesce(Subquery(ONE), Value("")), id="subquery or value"),
    Value("x"),
    pytest.param(Exists(ONE), id="exists"),
    Count("score"),
]
MAYBE: list[Any] = [
    "score",
    "author",
    "author__name",
    "author__pk",
    "author__profile",
    F("created"),
    "created__date",
    Lower("author__name"),
    Length("author__name"),
    Coalesce("score", "author__id", output_field=IntegerField()),
    pytest.param(Coalesce(Subquery(ONE), Subquery(ONE)), id="subquery or subquery"),
    ExpressionWrapper(F("score"), output_field=IntegerField()),
    Case(When(score=1, then=Value(1))),
    Cast("title", IntegerField()),
    NullIf("title", Value("")),
    Value(None, output_field=CharField()),
    pytest.param(Subquery(ONE), id="subquery"),
    RawSQL("title", (), output_field=CharField()),
    F("version") + F("version"),
    Concat("title", "title"),
    Avg("score"),
    Sum("version"),
]


def nullable(queryset: Any, item: Any) -> bool:
    return resolve_ordering(queryset, [item]).terms[0].nullable


@pytest.mark.parametrize("item", NEVER, ids=str)
def test_what_is_never_null(item: Any) -> None:
    assert not nullable(Article.objects.all(), item)
    if not isinstance(item, str):
        annotated = Article.objects.annotate(by=item)
        assert not nullable(annotated, "by")
        assert not nullable(annotated.annotate(again=F("by")), "again")
        assert not nullable(annotated.alias(low=Length("by")), "low")


@pytest.mark.parametrize("item", MAYBE, ids=str)
def test_what_may_be_null(item: Any) -> None:
    assert nullable(Article.objects.all(), item)
    if not isinstance(item, str):
        annotated = Article.objects.annotate(by=item)
        assert nullable(annotated, "by")
        assert nullable(annotated.annotate(again=F("by")), "again")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("article__title", False),
        ("author__name", False),
        ("article__score", True),
        ("article__author__name", True),
        ("answers__text", True),
        ("answers__article__title", True),
    ],
)
def test_a_path_may_be_null_where_a_step_may(path: str, expected: bool) -> None:
    assert nullable(Remark.objects.all(), path) == expected
    assert nullable(Remark.objects.all(), Lower(path)) == expected
    assert nullable(Remark.objects.annotate(by=F(path)), "by") == expected


def test_a_reverse_relation_may_have_no_row() -> None:
    assert nullable(Author.objects.all(), "profile")
    assert nullable(Author.objects.all(), Length("profile__author__name"))
    assert nullable(Author.objects.annotate(low=Min("articles__title")), "low")


def test_a_filter_that_leaves_no_null_makes_the_join_sure() -> None:
    articles = Article.objects.filter(author__name__gt="")
    assert not nullable(articles, Lower("author__name"))
    assert nullable(articles.filter(score=1), Lower(F("author__profile__author__name")))


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "items",
    [
        ["title"],
        ["-title", "version"],
        [Lower("title"), "-id"],
        [Coalesce("score", Value(0)).desc(nulls_last=True), "title"],
        [F("version").asc(nulls_last=True), F("title").desc(nulls_first=True)],
    ],
    ids=str,
)
def test_a_column_without_null_never_meets_is_null(items: list[Any]) -> None:
    queryset = Article.objects.all()
    ordering = resolve_ordering(queryset, items)
    position = ("1",) * len(ordering.terms)
    for way in (ordering, ordering.reversed()):
        for inclusive in (True, False):
            parts = list(plan(queryset, way, position, inclusive=inclusive))
            sql = " ".join(str(part.query) for part in [*parts, *plan(queryset, way)])
            assert " NULL" not in sql.split("FROM", 1)[1], connection.vendor
