"""Pages by offset, with the envelope of the cursor paginator."""

from typing import TYPE_CHECKING, Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from rest_framework import pagination
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.utils.urls import remove_query_param, replace_query_param

from drf_apikit.conf import apikit_settings
from drf_apikit.counters import count
from drf_apikit.exceptions import InvalidPage
from drf_apikit.keyset import Total
from drf_apikit.pagination.envelope import (
    EnvelopePagination,
    describe,
    not_below,
    read_number,
)
from drf_apikit.pagination.ties import tie_broken

__all__ = ["LimitOffsetPagination", "OffsetPagination", "PageNumberPagination"]

if TYPE_CHECKING:
    # DRF imports what its settings name while it imports its views.
    from rest_framework.views import APIView

    class _LimitOffset:
        """What of DRF's classes is used; these have attributes of other types."""

        limit_query_param: str | None
        limit_query_description: Any
        offset_query_param: str
        offset_query_description: Any

    class _PageNumber:
        django_paginator_class: "type[Paginator[Any]]"
        invalid_page_message: Any
        last_page_strings: tuple[str, ...]
        page_query_param: str
        page_query_description: Any
        page_size_query_description: Any

else:
    _LimitOffset = pagination.LimitOffsetPagination
    _PageNumber = pagination.PageNumberPagination


class OffsetPagination(EnvelopePagination):
    """What paginators have in common that skip rows.

    Rows that are equal in the ordering are told apart by the primary key, so
    that pages do not overlap. Each page is counted anew, unless it shows the end
    of the list itself. Lists of objects are paginated as well.
    """

    #: Rows that may be skipped; None asks the setting `MAX_OFFSET`.
    max_offset: int | None = None

    def count_queryset(self, queryset: Any, strategy: str) -> Total:
        """Count the rows of the whole list, which may be no queryset."""
        if isinstance(queryset, QuerySet):
            return super().count_queryset(queryset, strategy)
        return Total(len(queryset), "exact")

    def _deepest(self) -> int:
        deepest = self.max_offset
        return apikit_settings.pagination.max_offset if deepest is None else deepest

    def _read(self, whole: Any, offset: int, size: int) -> list[Any]:
        """Read one page, and learn whether there is another."""
        found = list(whole[offset : offset + size + 1])
        self.more = len(found) > size
        return found[:size]

    def _count(self, queryset: Any, offset: int, rows: int) -> Total:
        strategy = self.get_count_strategy(self.request)
        if strategy == "none":
            return Total()
        if not self.more and (rows or not offset):
            return Total(offset + rows, "exact")
        seen = offset + rows + self.more if rows else 0
        return not_below(self.count_queryset(queryset, strategy), seen)

    def _last_offset(self, size: int) -> int | None:
        """Give where the last page begins, if it is known and not too deep."""
        if self.total.relation != "exact" or self.total.count is None:
            return None
        offset = max(self.total.count - 1, 0) // size * size
        return offset if offset <= self._deepest() else None


class LimitOffsetPagination(OffsetPagination, _LimitOffset):
    """`limit` rows behind `offset` others; a drop-in for DRF's class of that name.

    Raises:
        InvalidPageSize: 400, a `limit` that is not from 1 to the maximum.
        InvalidPage: 400, an `offset` that is no whole number or too deep.

    """

    template = OffsetPagination.template
    #: None asks the setting `PAGE_SIZE`.
    default_limit: int | None = None
    #: None asks the setting `MAX_PAGE_SIZE`.
    max_limit: int | None = None

    def paginate_queryset(
        self, queryset: Any, request: Request, view: "APIView | None" = None
    ) -> list[Any] | None:
        """Fetch one page, and one row more to know whether there is another."""
        del view
        self.request = request
        if (limit := self.get_limit(request)) is None:
            return None
        self.limit = limit
        self.offset = self.get_offset(request)
        rows = self._read(tie_broken(queryset), self.offset, self.limit)
        self.total = self._count(queryset, self.offset, len(rows))
        self.display_page_controls = bool(
            self.template and (self.more or self.offset > 0)
        )
        count("pagination.page_read", kind="limit_offset")
        return rows

    def get_limit(self, request: Request) -> int | None:
        """Read the parameter strictly: what is not understood is refused."""
        name = self.limit_query_param
        return self._read_size(request, name, self.default_limit, self.max_limit)

    def get_offset(self, request: Request) -> int:
        """Read the parameter strictly: what is not understood is refused."""
        name, maximum = self.offset_query_param, self._deepest()
        text = request.query_params.get(name)
        offset = 0 if text is None else read_number(text)
        if offset is None or offset > maximum:
            problem = InvalidPage(parameter=name, maximum=maximum)
            raise self._refuse(problem, None)
        return offset

    def get_first_link(self) -> str:
        """Give the URL without an offset."""
        return self._url(0)

    def get_previous_link(self) -> str | None:
        """Give the URL of the rows before these."""
        return self._url(self.offset - self.limit) if self.offset > 0 else None

    def get_next_link(self) -> str | None:
        """Give the URL of the rows behind these."""
        return self._url(self.offset + self.limit) if self.more else None

    def get_last_link(self) -> str | None:
        """Give the URL of the last page; None if it is not known or too deep."""
        offset = self._last_offset(self.limit)
        return None if offset is None else self._url(offset)

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        """Describe the parameters for OpenAPI."""
        offset = {"type": "integer", "minimum": 0, "maximum": self._deepest()}
        return [
            describe(self.offset_query_param, self.offset_query_description, offset),
            *self._describe_size(
                self.limit_query_param,
                self.limit_query_description,
                self.default_limit,
                self.max_limit,
            ),
            *OffsetPagination.get_schema_operation_parameters(self, view),
        ]

    def _url(self, offset: int) -> str:
        url = self.request.build_absolute_uri()
        if self.limit_query_param is not None:
            url = replace_query_param(url, self.limit_query_param, self.limit)
        if offset <= 0:
            return str(remove_query_param(url, self.offset_query_param))
        return str(replace_query_param(url, self.offset_query_param, offset))


class PageNumberPagination(OffsetPagination, _PageNumber):
    """Numbered pages; a drop-in for DRF's class of that name.

    `page` can also be `last`, where the total is exact. A page behind the last
    one is a 404, as ever.

    Raises:
        InvalidPageSize: 400, a page size that is not from 1 to the maximum.
        InvalidPage: 400, a page that is no whole number from 1, or too deep.
        NotFound: 404, there is no such page.

    """

    template = OffsetPagination.template
    page_size_query_param: str | None = "page_size"
    #: None asks the setting `PAGE_SIZE`.
    page_size: int | None = None
    #: None asks the setting `MAX_PAGE_SIZE`.
    max_page_size: int | None = None

    def paginate_queryset(
        self, queryset: Any, request: Request, view: "APIView | None" = None
    ) -> list[Any] | None:
        """Fetch one page, and one row more to know whether there is another."""
        del view
        self.request = request
        if (size := self.get_page_size(request)) is None:
            return None
        self.size = size
        # Django warns of an order that is not total, and this one is.
        whole = tie_broken(queryset)
        paginator = self.django_paginator_class(whole, self.size)
        self.number = self.get_page_number(request, paginator)
        offset = (self.number - 1) * self.size
        rows = self._read(whole, offset, self.size)
        if not rows and self.number > 1:
            raise NotFound(self.invalid_page_message)
        self.total = self._count(queryset, offset, len(rows))
        if self.total.relation == "exact":
            # A cached property: who asks for it otherwise pays for an exact count.
            vars(paginator)["count"] = self.total.count
        self.page = Page(rows, self.number, paginator)
        several = self.more or self.number > 1
        self.display_page_controls = several and bool(self.template)
        count("pagination.page_read", kind="page_number")
        return rows

    def get_page_size(self, request: Request) -> int | None:
        """Read the parameter strictly: what is not understood is refused."""
        return self._read_size(
            request, self.page_size_query_param, self.page_size, self.max_page_size
        )

    def get_page_number(self, request: Request, paginator: Any) -> int:
        """Read the parameter strictly; `last` needs an exact total."""
        name, maximum = self.page_query_param, self._deepest() // self.size + 1
        text = request.query_params.get(name)
        if text in self.last_page_strings:
            number = self._last_number(paginator)
        else:
            number = 1 if text is None else read_number(text)
        if number is None or not 1 <= number <= maximum:
            problem = InvalidPage(parameter=name, maximum=maximum)
            raise self._refuse(problem, self.invalid_page_message)
        return number

    def get_first_link(self) -> str:
        """Give the URL without a page number."""
        return self._url(1)

    def get_previous_link(self) -> str | None:
        """Give the URL of the page before this one."""
        return self._url(self.number - 1) if self.number > 1 else None

    def get_next_link(self) -> str | None:
        """Give the URL of the page behind this one."""
        return self._url(self.number + 1) if self.more else None

    def get_last_link(self) -> str | None:
        """Give the URL of the last page; None if it is not known or too deep."""
        offset = self._last_offset(self.size)
        return None if offset is None else self._url(offset // self.size + 1)

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        """Describe the parameters for OpenAPI."""
        page = {"type": "integer", "minimum": 1}
        return [
            describe(self.page_query_param, self.page_query_description, page),
            *self._describe_size(
                self.page_size_query_param,
                self.page_size_query_description,
                self.page_size,
                self.max_page_size,
            ),
            *OffsetPagination.get_schema_operation_parameters(self, view),
        ]

    def _last_number(self, paginator: "Paginator[Any]") -> int | None:
        strategy = self.get_count_strategy(self.request)
        total = self.count_queryset(paginator.object_list, strategy)
        if total.relation != "exact" or total.count is None:
            return None
        return max(total.count - 1, 0) // self.size + 1

    def _url(self, number: int) -> str:
        url = self.request.build_absolute_uri()
        if number == 1:
            return str(remove_query_param(url, self.page_query_param))
        return str(replace_query_param(url, self.page_query_param, number))
