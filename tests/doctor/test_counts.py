from typing import Any

import pytest
from django.core.paginator import Paginator
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import QuerySet
from rest_framework import pagination as drf
from rest_framework.generics import ListAPIView
from rest_framework.serializers import Serializer

from drf_apikit.checks.views import RoutedView
from drf_apikit.doctor.counts import PROBE, Size, size_of
from drf_apikit.doctor.findings import Context, Finding
from drf_apikit.keyset import Total
from drf_apikit.pagination import (
    CursorPagination,
    LimitOffsetPagination,
    PageNumberPagination,
)
from tests.app.models import Author

pytestmark = pytest.mark.django_db

ROWS = 30


class Authors(ListAPIView[Any]):
    queryset = Author.objects.all()
    serializer_class = Serializer
    pagination_class: Any = CursorPagination


@pytest.fixture
def _many() -> None:
    Author.objects.bulk_create([Author(name=str(n)) for n in range(ROWS)])


def told(*views: Any, large: int = ROWS - 1, alias: str = "default") -> list[Finding]:
    """Look in this thread, whose transaction has what the test has written."""
    routed = [RoutedView(view, {}, None) for view in views]
    (one,) = PROBE.examinations(Context((alias,), lambda: routed, large=large))
    return list(one.run())


def paginated(paginator: Any, **attributes: Any) -> Any:
    own = type("Own", (paginator,), attributes) if attributes else paginator
    return type("Listed", (Authors,), {"pagination_class": own})


@pytest.mark.usefixtures("_many")
def test_large_tables_with_exact_counts_are_told(database: str) -> None:
    # What MariaDB knows of rows that are not committed is about right.
    (found,) = told(Authors, large=1 if database == "mariadb" else ROWS - 1)
    assert found.status == "risk"
    assert found.subject == f"{__name__}.Authors"
    assert "count the rows of tests_app_author, which has " in found.seen
    assert "count_strategy = 'bounded'" in found.remedy


@pytest.mark.usefixtures("_many")
def test_small_tables_may_be_counted() -> None:
    (found,) = told(Authors, large=ROWS)
    assert found.status == "ok"
    assert found.subject == "lists"
    assert found.seen == "1 lists count exactly, up to 30 rows at the most."


class OwnStrategy(CursorPagination):
    def get_count_strategy(self, request: Any) -> str:
        return super().get_count_strategy(request)


class OwnCount(LimitOffsetPagination):
    def count_queryset(self, queryset: Any, strategy: str) -> Total:
        return super().count_queryset(queryset, strategy)


class DrfOwnCount(drf.LimitOffsetPagination):
    def get_count(self, queryset: Any) -> int:
        return super().get_count(queryset)


Bounded = type("Bounded", (Paginator,), {"count": 7})


@pytest.mark.usefixtures("_many")
@pytest.mark.parametrize(
    ("view", "risky"),
    [
        (paginated(CursorPagination), True),
        (paginated(LimitOffsetPagination), True),
        (paginated(PageNumberPagination), True),
        (paginated(drf.LimitOffsetPagination), True),
        (paginated(drf.PageNumberPagination), True),
        (paginated(CursorPagination, count_strategy="bounded"), False),
        (paginated(CursorPagination, count_strategy="none"), False),
        (paginated(CursorPagination, count_strategy="estimated"), False),
        (paginated(CursorPagination, count_timeout=100), False),
        (
            paginated(
                CursorPagination, count_strategy="none", count_choices=["none", "exact"]
            ),
            True,
        ),
        (paginated(OwnStrategy), False),
        (paginated(OwnCount), False),
        (paginated(DrfOwnCount), False),
        (paginated(drf.CursorPagination), False),
        (paginated(drf.PageNumberPagination, django_paginator_class=Bounded), False),
        (paginated(drf.BasePagination), False),
        (type("Odd", (Authors,), {"pagination_class": "a text"}), False),
        (type("Odd", (Authors,), {"pagination_class": None}), False),
        (type("Odd", (Authors,), {"queryset": None}), False),
        (type("Odd", (Authors,), {"queryset": property(None)}), False),
    ],
    ids=lambda value: "" if isinstance(value, type) else str(value),
)
def test_which_views_count_exactly(view: Any, risky: bool) -> None:
    (found,) = told(view)
    assert (found.status == "risk") is risky
    if not risky:
        assert found.seen.startswith("0 lists")


@pytest.mark.usefixtures("_many")
@pytest.mark.parametrize(
    ("section", "timeout", "risky"),
    [
        ({"COUNT": "bounded"}, None, False),
        ({"COUNT_TIMEOUT": 100}, None, False),
        ({"COUNT_TIMEOUT": 100}, 0, True),
        ({"COUNT": "none", "COUNT_CHOICES": "exact"}, None, True),
    ],
    ids=str,
)
def test_settings_say_how_to_count(
    section: Any, timeout: int | None, risky: bool, settings: Any
) -> None:
    settings.DRF_APIKIT = {"PAGINATION": section}
    (found,) = told(paginated(CursorPagination, count_timeout=timeout))
    assert (found.status == "risk") is risky


class Raising(QuerySet[Author]):
    @property
    def db(self) -> str:
        raise LookupError


@pytest.mark.usefixtures("_many")
def test_lists_that_are_left_alone() -> None:
    odd = type("Odd", (Authors,), {"queryset": Raising(Author)})
    (found,) = told(odd)
    assert found.seen.startswith("0 lists")
    (found,) = told(Authors, alias="other")
    assert found.seen.startswith("0 lists")


@pytest.mark.usefixtures("_many")
def test_several_lists_of_one_table_are_counted_once(database: str) -> None:
    calls: list[str] = []

    def note(execute: Any, sql: str, *others: Any) -> Any:
        calls.append(sql)
        return execute(sql, *others)

    with connection.execute_wrapper(note):
        assert len(told(Authors, paginated(PageNumberPagination), Authors)) == 3
    assert sum("COUNT(" in sql for sql in calls) <= 1
    assert database


@pytest.mark.usefixtures("_many")
def test_sizes(database: str) -> None:
    exact = size_of(DEFAULT_DB_ALIAS, Author, ROWS, 30)
    more = size_of(DEFAULT_DB_ALIAS, Author, ROWS - 1, 30)
    if database == "mariadb":
        assert exact.text.startswith("about ")
    else:
        assert exact == Size(ROWS, "30 rows")
        assert more == Size(ROWS, "more than 29 rows")


def test_statistics_are_used_where_there_are_some(database: str) -> None:
    if database == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE pg_class SET reltuples = 2000000"
                " WHERE oid = 'tests_app_author'::regclass"
            )
        assert size_of(DEFAULT_DB_ALIAS, Author, 1, 30) == Size(
            2_000_000, "about 2,000,000 rows"
        )


def test_a_count_that_takes_long_is_given_up() -> None:
    Author.objects.bulk_create([Author(name=str(n)) for n in range(20_000)])
    assert size_of(DEFAULT_DB_ALIAS, Author, 1_000_000, 0) == Size(
        1_000_001, "more rows than are counted in 0 seconds"
    )
