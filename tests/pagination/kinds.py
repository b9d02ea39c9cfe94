"""The three paginators, each with every way to count, over the same rows."""

from typing import Any, Final

from django.urls import path

from drf_apikit.pagination import (
    CursorPagination,
    LimitOffsetPagination,
    PageNumberPagination,
)
from tests.pagination import api

__all__ = ["KINDS", "each", "urlpatterns"]


class ByCursor(CursorPagination):
    page_size = 2
    max_page_size = 20


class ByOffset(LimitOffsetPagination):
    default_limit = 2
    max_limit = 20


class ByPage(PageNumberPagination):
    page_size = 2
    max_page_size = 20


KINDS: Final[dict[str, Any]] = {"cursor": ByCursor, "offset": ByOffset, "page": ByPage}


def each(suffix: str, **attributes: Any) -> list[Any]:
    """Give each paginator with these attributes a URL."""
    return [
        path(
            f"{name}{suffix}/",
            api.listed(pagination_class=type("Own", (kind,), dict(attributes))),
        )
        for name, kind in KINDS.items()
    ]


urlpatterns = [
    *api.urlpatterns,
    *each(""),
    *each("-bounded", count_strategy="bounded", count_bound=5),
    *each("-exact", count_strategy="exact"),
    *each("-choice", count_choices=("none", "bounded"), count_strategy="exact"),
    *each("-fixed", count_choices=()),
    *each("-renamed", count_query_param="total", count_choices=["none"]),
    *each("-slow", count_timeout=200, count_bound=2),
    *each("-patient", count_timeout=0),
    *each("-slower", count_timeout=100, count_bound=1000),
]
