"""Pages straight from the paginator, and the rows that orderings are tried on."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from drf_apikit.pagination import CursorPagination
from tests.app.models import Article, Author

__all__ = ["COLUMNS", "List", "Page", "make_articles"]

#: Every kind of column, with NULLs where they can be, and two tables.
COLUMNS = (
    "title",
    "created",
    "score",
    "price",
    "ratio",
    "day",
    "hour",
    "span",
    "flag",
    "token",
    "author",
    "author__name",
)
TITLES = (
    "",
    " ",
    "a",
    "A",
    "a|b",
    "a,b",
    "-a",
    "a&cursor=x",
    "a.b",
    'a"b',
    "a'b",
    "a\\b",
    "a\tb",
    "a\nb",
    "%",
    "[1]",
    "null",
    "é",
    "e",
    "日本",
    "🦆",
    "a ",
)
MOMENT = datetime(2026, 11, 22, 6, 21, tzinfo=UTC)
FACTORY = APIRequestFactory()


@dataclass(frozen=True, slots=True)
class Page:
    """One page: primary keys, links, count; and the link to the last one."""

    rows: list[Any]
    next: str | None
    previous: str | None
    count: int
    last: str


class List:
    """A list that is walked like an API's, without any view."""

    def __init__(
        self,
        queryset: Callable[[], QuerySet[Any]],
        ordering: Iterable[str],
        path: str = "/articles/",
    ) -> None:
        self._queryset = queryset
        self._path = path
        self._paginator = type(
            "Ordered",
            (CursorPagination,),
            {"ordering": tuple(ordering), "max_page_size": 5000},
        )

    def first(self, page_size: int) -> Page:
        """Get the first page."""
        return self.get(f"{self._path}?page_size={page_size}")

    def get(self, url: str | None) -> Page:
        """Get the page behind a link."""
        assert url is not None
        paginator = self._paginator()
        request = Request(FACTORY.get(url))
        rows = paginator.paginate_queryset(self._queryset(), request, APIView())
        body = paginator.get_paginated_response([row.pk for row in rows]).data
        return Page(
            body["results"],
            body["next"],
            body["previous"],
            body["count"],
            paginator.get_last_link(),
        )

    def forward(self, page: Page, limit: int = 10_000) -> list[Page]:
        """Follow `next` to the end; the given page is the first one."""
        return self._follow(page, "next", limit)

    def backward(self, page: Page, limit: int = 10_000) -> list[Page]:
        """Follow `previous` to the beginning; the given page is the first one."""
        return self._follow(page, "previous", limit)

    def _follow(self, page: Page, link: str, limit: int) -> list[Page]:
        pages = [page]
        while url := getattr(pages[-1], link):
            assert len(pages) < limit, f"{link} leads on without end"
            pages.append(self.get(url))
        return pages


def make_articles(rows: int, seed: int = 1) -> None:
    """Make rows with ties and NULLs in every column."""
    rng = random.Random(seed)
    authors = [Author.objects.create(name=name) for name in ("Bo", "Ada", "bo", "É")]

    def some(*values: Any) -> Any:
        """Draw a value, NULL at every fourth."""
        return rng.choice((*values, *values, *values, *[None] * len(values)))

    Article.objects.bulk_create(
        Article(
            title=rng.choice(TITLES),
            created=some(*(MOMENT + timedelta(microseconds=n) for n in (0, 1, 999999))),
            score=some(-1, 0, 1),
            price=rng.choice([Decimal("-0.0001"), Decimal(0), Decimal("12345678.9")]),
            ratio=rng.choice([-1e300, -0.1, 0.0, 0.1 + 0.2, 0.3, 5e-324, 1e308]),
            day=some(date(1, 1, 1), date(2026, 2, 28), date(9999, 12, 31)),
            hour=some(time(0), time(0, 0, 0, 1), time(23, 59, 59, 999999)),
            span=some(timedelta(0), timedelta(microseconds=-1), timedelta(days=400)),
            flag=rng.random() < 0.4,
            token=UUID(int=rng.getrandbits(128), version=rng.choice([1, 4])),
            version=rng.randrange(3),
            author=some(*authors),
        )
        for _ in range(rows)
    )
