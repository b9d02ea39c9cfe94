"""Keyset pagination behind DRF's cursor interface."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import pagination
from rest_framework.request import Request
from rest_framework.utils.urls import remove_query_param

from drf_apikit.counters import count
from drf_apikit.exceptions import InvalidCursor, ParameterError
from drf_apikit.keyset import (
    Cursor,
    CursorError,
    Ordering,
    OrderingError,
    Slice,
    Total,
    decode,
    each_once,
    encode,
    items_of,
    ordering_of,
    read_slice,
    resolve_ordering,
)
from drf_apikit.pagination.envelope import EnvelopePagination, describe, not_below
from drf_apikit.pagination.scope import scope_of, witness_of

__all__ = ["CursorPagination"]

if TYPE_CHECKING:
    # DRF imports what its settings name while it imports its views.
    from rest_framework.views import APIView

    class _Base:
        """DRF annotates its cursor as an offset and a text, and ours is neither."""

        cursor_query_description: Any
        page_size_query_description: Any
        invalid_cursor_message: Any

else:
    _Base = pagination.CursorPagination


class CursorPagination(EnvelopePagination, _Base):
    """Pages that begin at a position in the ordering, never at an offset.

    A drop-in for DRF's class of the same name. A position is the whole ordering
    with the primary key, so ties, NULLs and rows that come and go lose nothing,
    and the last page costs what the first one does. The ordering comes from the
    view's `OrderingFilter`, from `ordering` here, or from the queryset: anything
    that `order_by()` takes.

    The total is counted at the beginning of a walk and travels in the cursor.

    Raises:
        InvalidCursor: 400, a cursor that this list did not give out.
        InvalidPageSize: 400, not a whole number from 1 to the maximum.
        ParameterError: 400, an ordering by the client's choice that has no
            positions, or a way to count that is not offered.
        ImproperlyConfigured: such an ordering by the view's own choice.

    """

    cursor_query_param = "cursor"
    #: What `order_by()` takes, one item or several; None asks the queryset.
    ordering: Any = None
    page_size_query_param: str | None = "page_size"
    #: None asks the setting `PAGE_SIZE`.
    page_size: int | None = None
    #: None asks the setting `MAX_PAGE_SIZE`.
    max_page_size: int | None = None

    def paginate_queryset(
        self, queryset: Any, request: Request, view: "APIView | None" = None
    ) -> list[Any] | None:
        """Fetch one page, and one row more to know whether there is another.

        None, which is the whole list without an envelope, is what DRF's class gives
        where an override of `get_page_size` gives None.
        """
        if isinstance(queryset, QuerySet):
            # A router may name another database each time that it is asked.
            queryset = queryset.using(queryset.db)
        self.request, self.view, self._queryset = request, view, queryset
        self.page_size = self.get_page_size(request)
        if self.page_size is None:
            return None
        self.base_url = request.build_absolute_uri()
        self.first_url = remove_query_param(self.base_url, self.cursor_query_param)
        strategy = self.get_count_strategy(request)
        self.keyset = self._resolve(queryset, request, view)
        own, more = self._own_parameters(), self.get_scope(request, view)
        self.scope = scope_of(request, view, own, queryset, more)
        self.cursor = self.decode_cursor(request)
        self.slice = self._read(queryset)
        self._look_around(self.slice)
        how = (strategy, self._bound(), self.scope)
        self.witness = witness_of(request, own, how)
        self.total = self._count(queryset, strategy)
        self.page = self.slice.rows
        several = self.has_previous or self.has_next
        self.display_page_controls = several and bool(self.template)
        count("pagination.page_read", kind="cursor")
        return self.page

    def get_page_size(self, request: Request) -> int | None:
        """Read the parameter strictly: what is not understood is refused."""
        return self._read_size(
            request, self.page_size_query_param, self.page_size, self.max_page_size
        )

    def get_ordering(
        self, request: Request, queryset: QuerySet[Any], view: "APIView | None"
    ) -> tuple[Any, ...]:
        """Ask the view's ordering filter, this class, then the queryset."""
        ordering: Any = None
        backend = _ordering_filter(view)
        if backend is not None:
            ordering = backend.get_ordering(request, queryset, view)
        return items_of(ordering or self.ordering or ordering_of(queryset))

    def get_scope(self, request: Request, view: "APIView | None") -> Any:
        """Name what else the rows depend on, such as a tenant in a header or session.

        Cursors and totals are of that alone. Give a text, a number, or a tuple of
        these: what counts is `repr()`, which must be the same in each process.
        """
        del request, view

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Read the parameter; None for the first page."""
        text = request.query_params.get(self.cursor_query_param)
        if text is None:
            return None
        try:
            return decode(text, self.keyset, self.scope)
        except CursorError as error:
            reason = "foreign" if error.foreign else "unknown"
            count("pagination.cursor_refused", reason=reason)
            detail = _FOREIGN if error.foreign else _UNKNOWN
            problem = InvalidCursor(detail, parameter=self.cursor_query_param)
            raise self._refuse(problem, self.invalid_cursor_message) from None

    def encode_cursor(self, cursor: Cursor) -> str:
        """Give the URL of the page that the cursor describes."""
        # Where it cannot be told who asks, a total is nobody's.
        total = self.total if self.witness else None
        counted = replace(cursor, total=total, witness=self.witness)
        try:
            text = encode(counted, self.keyset, self.scope)
        except (TypeError, UnicodeEncodeError) as error:
            raise self._unusable(error) from error
        # What a cursor is written in needs no quoting.
        first = self.get_first_link()
        separator = "&" if "?" in first else "?"
        return f"{first}{separator}{self.cursor_query_param}={text}"

    def get_first_link(self) -> str:
        """Give the URL without a cursor."""
        return str(self.first_url)

    def get_previous_link(self) -> str | None:
        """Give the URL of the page before this one."""
        if not self.has_previous:
            return None
        return self._link(self.slice.begin, reverse=True)

    def get_next_link(self) -> str | None:
        """Give the URL of the page behind this one."""
        if not self.has_next:
            return None
        return self._link(self.slice.end, reverse=False)

    def get_last_link(self) -> str:
        """Give the URL of the page that ends with the last row."""
        return self.encode_cursor(Cursor(None, reverse=True))

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        """Describe the parameters for OpenAPI."""
        cursor, text = self.cursor_query_param, self.cursor_query_description
        return [
            describe(cursor, text, {"type": "string"}),
            *self._describe_size(
                self.page_size_query_param,
                self.page_size_query_description,
                self.page_size,
                self.max_page_size,
            ),
            *super().get_schema_operation_parameters(view),
        ]

    def _resolve(
        self, queryset: Any, request: Request, view: "APIView | None"
    ) -> Ordering:
        try:
            items = self.get_ordering(request, queryset, view)
            return resolve_ordering(queryset, items_of(items))
        except OrderingError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> Exception:
        """Blame the client for its own choice, and else the view."""
        backend = _ordering_filter(self.view)
        name = getattr(backend, "ordering_param", None)
        if name in self.request.query_params and self._has_own_ordering(backend):
            text = _("The list cannot be ordered by this.")
            return ParameterError({name: [text]}, location="query", code="invalid")
        return ImproperlyConfigured(
            f"{type(self.view).__name__} cannot be paginated: {error}. Order a"
            " queryset by numbers, times, texts, UUIDs or booleans."
        )

    def _has_own_ordering(self, backend: Any) -> bool:
        """Tell whether the list can be paginated when the client chooses nothing."""
        default = getattr(backend, "get_default_ordering", None)
        own = (default and default(self.view)) or self.ordering
        try:
            own = own or ordering_of(self._queryset)
            resolve_ordering(self._queryset, items_of(own))
        except OrderingError:
            return False
        return True

    def _read(self, queryset: QuerySet[Any]) -> Slice:
        cursor = self.cursor or Cursor(None)
        try:
            return read_slice(
                queryset,
                self.keyset,
                self.page_size or 1,
                cursor.position,
                reverse=cursor.reverse,
                inclusive=cursor.inclusive,
                few_ties=cursor.few_ties,
            )
        except OrderingError as error:
            raise self._unusable(error) from error

    def _look_around(self, found: Slice) -> None:
        """Tell on which sides there are rows; who holds a position came from one."""
        cursor = self.cursor or Cursor(None)
        came = cursor.position is not None
        self.has_previous = found.more if cursor.reverse else came
        self.has_next = came if cursor.reverse else found.more

    def _count(self, queryset: QuerySet[Any], strategy: str) -> Total:
        if strategy == "none":
            return Total()
        seen = len(self.slice.rows) + self.slice.more
        if not self.has_previous and not self.has_next:
            return Total(seen, "exact")
        if self.cursor and self.cursor.total and self.cursor.witness == self.witness:
            return self.cursor.total
        return not_below(self.count_queryset(each_once(queryset), strategy), seen)

    def _own_parameters(self) -> set[str | None]:
        own = {self.cursor_query_param, self.page_size_query_param}
        # Where there is nothing to choose, it may be the name of a filter.
        return own | {self.count_query_param} if self._count_choices() else own

    def _link(self, position: tuple[Any, ...] | None, *, reverse: bool) -> str:
        if position is not None:
            near = self.slice.few_ties
            return self.encode_cursor(Cursor(position, reverse, few_ties=near))
        # Nothing is left on this side: turn round, and miss no row doing so.
        before = self.cursor.position if self.cursor else None
        return self.encode_cursor(Cursor(before, reverse, inclusive=True))


_UNKNOWN = _("This is no cursor that this API gave out. Start again without it.")
_FOREIGN = _(
    "The cursor is of another list, ordering or filter, or of an earlier version of"
    " this API. Start again without it."
)


def _ordering_filter(view: Any) -> Any:
    for backend in getattr(view, "filter_backends", ()):
        if hasattr(backend, "get_ordering"):
            return backend()
    return None
