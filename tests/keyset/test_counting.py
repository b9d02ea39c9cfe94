"""Totals: how many, how sure, and within which time."""

from typing import Any

import pytest
from django.core.exceptions import FieldError
from django.db import connection, transaction
from django.db.models import (
    Case,
    Count,
    F,
    Func,
    IntegerField,
    QuerySet,
    Value,
    When,
)
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from drf_apikit.keyset import STRATEGIES, Total, count_rows
from tests.app.models import Article, Author

SLOW = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT COUNT(*) FROM n)",
    "postgresql": "(SELECT COUNT(*) FROM generate_series(1, 1000000) a,"
    " generate_series(1, 1000000) b)",
    "mysql": "(SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b)",
}


def make(count: int) -> QuerySet[Article]:
    Article.objects.bulk_create(Article(score=number) for number in range(count))
    return Article.objects.all()


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("strategy", ["exact", "bounded"])
def test_what_does_not_change_the_number_is_left_out(strategy: str) -> None:
    author = Author.objects.create(name="Ada")
    Article.objects.bulk_create(Article(author=author) for _ in range(7))
    articles = (
        Article.objects.select_related("author")
        .prefetch_related("remark_set")
        .order_by("author__name", "-created")
    )
    with CaptureQueriesContext(connection) as queries:
        assert count_rows(articles, strategy) == Total(7, "exact")
    assert len(queries) == 1
    for word in ("ORDER BY", "JOIN", "remark"):
        assert word not in queries[0]["sql"]


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("strategy", ["exact", "bounded"])
@pytest.mark.parametrize("rows", [0, 3])
def test_what_a_filter_leaves_is_counted(rows: int, strategy: str) -> None:
    articles = make(5)
    found = articles.filter(score__lt=rows)
    for queryset in (found, found.distinct(), found.values("score").distinct()):
        assert count_rows(queryset, strategy) == Total(rows, "exact")
    grouped = articles.annotate(n=Count("remark")).filter(n=0, score__lt=rows)
    assert count_rows(grouped, strategy) == Total(rows, "exact")
    assert count_rows(Article.objects.none(), strategy) == Total(0, "exact")
    assert count_rows(articles.order_by("score")[1:3], strategy) == Total(2, "exact")
    union = articles.union(Article.objects.filter(score=1))
    assert count_rows(union, strategy) == Total(5, "exact")


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("bound", "total"),
    [
        (6, Total(5, "exact")),
        (5, Total(5, "exact")),
        (4, Total(4, "at_least")),
        (1, Total(1, "at_least")),
    ],
)
def test_a_bound_is_exact_until_it_is_reached(bound: int, total: Total) -> None:
    articles = make(5)
    with CaptureQueriesContext(connection) as queries:
        assert count_rows(articles, "bounded", bound=bound) == total
    assert len(queries) == 1
    assert f"LIMIT {bound + 1}" in queries[0]["sql"]
    assert count_rows(articles, "exact", bound=bound) == Total(5, "exact")


@pytest.mark.usefixtures("database")
@pytest.mark.django_db
def test_nothing_is_asked_for_none(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(0):
        assert count_rows(Article.objects.all(), "none") == Total(None, None)


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_an_estimate_says_that_it_is_one(database: str) -> None:
    articles = make(500)
    found = count_rows(articles.order_by("title"), "estimated", bound=100)
    if database != "postgresql":
        assert found == Total(100, "at_least")
        return
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tests_app_article")
    with CaptureQueriesContext(connection) as queries:
        found = count_rows(articles.order_by("title"), "estimated", bound=100)
    assert len(queries) == 1
    assert queries[0]["sql"].startswith("EXPLAIN")
    assert found == Total(500, "approximate")
    some = count_rows(articles.filter(score__lt=250), "estimated")
    assert some.relation == "approximate"
    assert 200 < (some.count or 0) < 300
    nothing = count_rows(Article.objects.none(), "estimated")
    assert nothing == Total(0, "approximate")


@pytest.mark.parametrize("strategy", ["", "EXACT", "guess", None])
def test_another_strategy_is_refused(strategy: Any) -> None:
    with pytest.raises(ValueError, match="is no way to count"):
        count_rows(Article.objects.all(), strategy)
    assert set(STRATEGIES) == {"exact", "bounded", "estimated", "none"}


# Time


def slowly(article: int) -> QuerySet[Article]:
    """Give rows of which one alone takes minutes to be found."""
    minutes = Func(template=SLOW[connection.vendor], output_field=IntegerField())
    slow = Case(When(pk=article, then=minutes), default=Value(0))
    return Article.objects.annotate(slow=slow).filter(slow__gte=0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("strategy", ["exact", "bounded"])
def test_what_takes_too_long_is_not_known(strategy: str) -> None:
    rows = slowly(make(3).order_by("pk")[0].pk)
    assert count_rows(rows, strategy, timeout=50) == Total()
    assert Article.objects.count() == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
def test_an_exact_count_falls_back_to_a_bounded_one() -> None:
    # The slow one is the last: a bound is reached before.
    last = make(30).order_by("-pk")[0].pk
    rows = slowly(last)
    with transaction.atomic():
        Author.objects.create(name="before")
        assert count_rows(rows, timeout=50, bound=10) == Total(10, "at_least")
        Author.objects.create(name="behind")
    assert Author.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("strategy", "total"),
    [
        ("exact", Total(5, "exact")),
        ("bounded", Total(3, "at_least")),
        ("none", Total()),
    ],
)
def test_a_quick_count_is_as_without_a_limit(strategy: str, total: Total) -> None:
    assert count_rows(make(5), strategy, bound=3, timeout=60_000) == total


@pytest.mark.django_db
@pytest.mark.usefixtures("database")
def test_another_error_is_no_timeout() -> None:
    with pytest.raises(FieldError):
        count_rows(Article.objects.filter(score=F("nothing")), timeout=60_000)
    broken = Article.objects.extra(where=["no_such_column = 1"])
    with pytest.raises(Exception, match="no_such_column"), transaction.atomic():
        count_rows(broken, timeout=60_000)
