"""A router that names another database each time: one page comes out of one."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from drf_apikit.keyset import (
    count_rows,
    keyset_iterator,
    read_slice,
    resolve_ordering,
)
from drf_apikit.pagination import CursorPagination
from tests.app.models import Article

pytestmark = pytest.mark.django_db


class Fickle:
    """Names the database at first, and then one that does not exist."""

    def __init__(self) -> None:
        self.asked = 0

    def db_for_read(self, *_: Any, **__: Any) -> str:
        self.asked += 1
        return "default" if self.asked == 1 else "another"


def read() -> list[Any]:
    ordering = resolve_ordering(Article.objects.using("default"), ["-score"])
    return read_slice(Article.objects.all(), ordering, 2, (1, 1)).rows


def paginate() -> list[Any]:
    paginator = type("Ordered", (CursorPagination,), {"ordering": "-score"})()
    request = Request(APIRequestFactory().get("/?page_size=1"))
    rows = paginator.paginate_queryset(Article.objects.all(), request)
    assert paginator.get_paginated_response(rows).data["count"] == 3
    return list(rows or [])


@pytest.mark.parametrize(
    "call",
    [
        read,
        paginate,
        lambda: count_rows(Article.objects.all(), "bounded", timeout=60_000).count,
        lambda: list(keyset_iterator(Article.objects.all(), "-score", 1)),
    ],
    ids=["a slice", "a page and its count", "a count", "an iterator"],
)
def test_the_router_is_asked_once(settings: Settings, call: Callable[[], Any]) -> None:
    Article.objects.bulk_create(Article(score=score) for score in (None, 2, 0))
    router = Fickle()
    settings.DATABASE_ROUTERS = [router]
    assert call()
    assert router.asked == 1
