"""The mixin for reads and writes, and its layer."""

from collections.abc import Collection
from typing import Any, ClassVar, Final

from django.db import connections
from django.db.models import QuerySet
from django.http import HttpResponseBase

from drf_apikit.conditional.get import READS, ConditionalGetLayer, ConditionalGetMixin
from drf_apikit.conditional.refusals import count_refusal
from drf_apikit.conditional.writes import write
from drf_apikit.exceptions import Problem
from drf_apikit.handlers import Call, Layer, Proceed
from drf_apikit.lookups import lookup_kwarg

__all__ = ["ConditionalMixin", "PreconditionLayer"]

#: All others ignore conditions (RFC 9110 section 13.2.1).
_CHANGES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class ConditionalMixin(ConditionalGetMixin):
    """Conditional reads, and writes that cannot lose an update.

    PUT, PATCH and DELETE check their conditions and move the version by one in
    the very transaction of the write, so that of two writers with one tag one
    gets 412. So does POST on a detail route that comes with a condition. Object
    permissions come first, always. Answers to PATCH and POST carry the new tag.

    Raises:
        PreconditionFailed: 412, the object is not what the client has seen.
        PreconditionRequired: 428, a write without condition where one is needed.
        EditConflict: 409, a write without condition was in another's way twice.

    """

    #: Which writes need a condition: True for PUT, PATCH and DELETE, or the names of
    #: methods and actions. None asks `CONDITIONAL["REQUIRE_PRECONDITIONS"]`.
    require_preconditions: ClassVar[bool | Collection[str] | None] = None
    #: `compare_and_swap`: one UPDATE that moves the version if it is still the same,
    #: so that nobody waits in vain. `select_for_update`: lock the row first, so that
    #: writers without a condition queue up.
    write_strategy: ClassVar[str] = "compare_and_swap"
    #: Whether PUT on a name that has no object yet makes one.
    put_creates: ClassVar[bool] = False

    #: Whether another writer was faster than the first attempt of this request.
    is_second_attempt: bool = False

    def get_handler_layers(self) -> list[Layer]:
        """Put the layer for all methods in the place of the one for reads."""
        return [*super().get_handler_layers(), PreconditionLayer()]

    def perform_put_create(self, serializer: Any) -> None:
        """Save what PUT makes, under the name that the URL gives."""
        serializer.save(**{self.lookup_field: self.kwargs[lookup_kwarg(self)]})

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """On MySQL, let a second attempt see what the first one was overtaken by."""
        queryset = super().filter_queryset(queryset)
        if not self.is_second_attempt or not isinstance(queryset, QuerySet):
            return queryset
        connection = connections[queryset.db]
        # A plain read would keep to the snapshot of the transaction around it.
        stuck = connection.in_atomic_block and connection.vendor == "mysql"
        return queryset.select_for_update() if stuck else queryset

    @property
    def is_writable(self) -> bool:
        """Whether writes go to this URL as well, which compare the state."""
        routed = getattr(self, "action_map", None)
        methods = self.http_method_names if routed is None else routed
        return any(
            name.upper() in _CHANGES and (routed or hasattr(self, name))
            for name in methods
        )

    @property
    def needs_primary(self) -> bool:
        """Whether to read from the database that is written to."""
        return self.request.method not in READS or super().needs_primary


class PreconditionLayer(ConditionalGetLayer):
    """Object permission, then precondition, then the handler."""

    def __call__(self, call: Call, proceed: Proceed) -> HttpResponseBase:
        """Decide by method and route."""
        view = call.view
        if isinstance(view, ConditionalMixin) and call.request.method in _CHANGES:
            try:
                return write(view, call, proceed)
            except Problem as refusal:
                count_refusal(refusal)
                raise
        return super().__call__(call, proceed)
