"""The paginator classes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from rest_framework import pagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.utils.urls import replace_query_param

from drf_apikit.conf import apikit_settings
from drf_apikit.exceptions import InvalidCursor, InvalidPageSize
from drf_apikit.keyset import (
    Cursor,
    CursorError,
    Ordering,
    count_rows,
    decode,
    encode,
    resolve_ordering,
    seek,
)
from drf_apikit.pagination.envelope import envelope_schema

__all__ = ["CursorPagination"]

_MAX_DIGITS: Final = 9


if TYPE_CHECKING:
    # DRF imports what its settings name while it imports its views.
    from rest_framework.views import APIView

    # DRF annotates its cursor as an offset and a text, and ours is neither.
    _Base = pagination.BasePagination
else:
    _Base = pagination.CursorPagination


class CursorPagination(_Base):
    """Pages that begin at a position in the ordering, never at an offset.

    A drop-in for DRF's class of the same name. The position is the whole
    ordering and the primary key, so ties, NULLs and rows that come and go lose
    nothing. The ordering comes from the view's `OrderingFilter`, from
    `ordering` here, or from the queryset.

    The answer is `{"count", "next", "previous", "results"}`; `count` is exact.

    Raises:
        InvalidCursor: 400, a cursor that this list did not give out.
        InvalidPageSize: 400, not a whole number from 1 to the maximum.
        ImproperlyConfigured: an ordering by something else than columns.

    """

    cursor_query_param = "cursor"
    template = "rest_framework/pagination/previous_and_next.html"
    #: None asks the queryset.
    ordering: Any = None
    page_size_query_param: str | None = "page_size"
    #: None asks the setting `PAGINATION["PAGE_SIZE"]`.
    page_size: int | None = None
    #: None asks the setting `PAGINATION["MAX_PAGE_SIZE"]`.
    max_page_size: int | None = None

    def paginate_queryset(
        self, queryset: Any, request: Request, view: "APIView | None" = None
    ) -> list[Any]:
        """Fetch one page, and one row more to know whether there is another."""
        self.request = request
        self.view = view
        self.size = self.get_page_size(request)
        self.base_url = request.build_absolute_uri()
        self.terms = self._resolve(queryset, request, view)
        self.scope = self._scope(request)
        self.cursor = self.decode_cursor(request)
        self.count = count_rows(queryset)
        self.page = self._fetch(queryset)
        several = self.has_previous or self.has_next
        self.display_page_controls = several and bool(self.template)
        return self.page

    def get_page_size(self, request: Request) -> int:
        """Read the parameter strictly: what is not understood is refused."""
        settings = apikit_settings.pagination
        maximum = self.max_page_size or settings.max_page_size
        name = self.page_size_query_param
        asked = None if name is None else request.query_params.get(name)
        if asked is None:
            default = self.page_size or settings.page_size or api_settings.PAGE_SIZE
            return min(default or maximum, maximum)
        digits = asked.isascii() and asked.isdigit() and len(asked) <= _MAX_DIGITS
        if not digits or not 1 <= int(asked) <= maximum:
            raise InvalidPageSize(parameter=name, maximum=maximum)
        return int(asked)

    def get_ordering(
        self, request: Request, queryset: QuerySet[Any], view: "APIView | None"
    ) -> tuple[Any, ...]:
        """Ask the view's ordering filter, this class, then the queryset."""
        ordering: Any = None
        for backend in getattr(view, "filter_backends", ()):
            if hasattr(backend, "get_ordering"):
                ordering = backend().get_ordering(request, queryset, view)
                break
        ordering = ordering or self.ordering or queryset.query.order_by
        if not ordering and queryset.query.default_ordering:
            ordering = queryset.model._meta.ordering
        return (ordering,) if isinstance(ordering, str) else tuple(ordering)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Read the parameter; None for the first page."""
        text = request.query_params.get(self.cursor_query_param)
        if text is None:
            return None
        try:
            return decode(text, self.terms, self.scope)
        except CursorError:
            raise InvalidCursor(parameter=self.cursor_query_param) from None

    def encode_cursor(self, cursor: Cursor) -> str:
        """Give the URL of the page that the cursor describes."""
        try:
            text = encode(cursor, self.terms, self.scope)
        except TypeError as error:
            raise self._misconfigured(error) from error
        return str(replace_query_param(self.base_url, self.cursor_query_param, text))

    def get_next_link(self) -> str | None:
        """Give the URL of the page behind this one."""
        if not self.has_next:
            return None
        return self._link(reverse=False)

    def get_previous_link(self) -> str | None:
        """Give the URL of the page before this one."""
        if not self.has_previous:
            return None
        return self._link(reverse=True)

    def get_paginated_response(self, data: Any) -> Response:
        """Put the page into its envelope."""
        return Response(
            {
                "count": self.count,
                "next": self.get_next_link(),
                "previous": self.get_previous_link(),
                "results": data,
            }
        )

    def get_paginated_response_schema(
        self, schema: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Describe the envelope for OpenAPI."""
        return envelope_schema(schema)

    def _resolve(
        self, queryset: QuerySet[Any], request: Request, view: "APIView | None"
    ) -> Ordering:
        try:
            names = self.get_ordering(request, queryset, view)
            return resolve_ordering(queryset, names)
        except ValueError as error:
            raise self._misconfigured(error) from error

    def _misconfigured(self, error: Exception) -> ImproperlyConfigured:
        return ImproperlyConfigured(
            f"{type(self.view).__name__} cannot be paginated: {error}. Order by"
            " columns of numbers, times, texts, UUIDs or booleans: those of the model"
            " or of what its foreign keys lead to, by name."
        )

    def _scope(self, request: Request) -> str:
        """Tell one list from another: its URL and whatever may filter it."""
        own = {
            self.cursor_query_param,
            self.page_size_query_param,
            api_settings.URL_FORMAT_OVERRIDE,
        }
        query = sorted(
            (name, values)
            for name, values in request.query_params.lists()
            if name not in own
        )
        return repr((request.path_info, query))

    def _fetch(self, queryset: QuerySet[Any]) -> list[Any]:
        cursor = self.cursor
        if cursor is None:
            rows = list(seek(queryset, self.terms)[: self.size + 1])
            self.has_previous, self.has_next = False, len(rows) > self.size
            return rows[: self.size]
        ordering = self.terms.reversed() if cursor.reverse else self.terms
        found = seek(queryset, ordering, cursor.values, inclusive=cursor.inclusive)
        rows = list(found[: self.size + 1])
        more = len(rows) > self.size
        rows = rows[: self.size]
        # Whoever holds a cursor has come from the other side.
        self.has_previous = more if cursor.reverse else True
        self.has_next = True if cursor.reverse else more
        return rows[::-1] if cursor.reverse else rows

    def _link(self, *, reverse: bool) -> str:
        if self.page:
            try:
                values = self.terms.values_of(self.page[0 if reverse else -1])
            except ValueError as error:
                raise self._misconfigured(error) from error
            return self.encode_cursor(Cursor(values, reverse))
        # Nothing is left on this side: turn round, and miss no row doing so.
        position = cast("Cursor", self.cursor).values
        return self.encode_cursor(Cursor(position, reverse, inclusive=True))
