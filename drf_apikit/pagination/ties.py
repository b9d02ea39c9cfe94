"""An order in which no two rows are equal, for pages that are cut by offset."""

from contextlib import suppress
from typing import Any

from django.db.models import QuerySet

from drf_apikit.keyset import OrderingError, ordered, ordering_of, resolve_ordering

__all__ = ["tie_broken"]


def tie_broken(queryset: Any) -> Any:
    """Order by the primary key in the end, where that can be done."""
    if not isinstance(queryset, QuerySet):
        return queryset
    try:
        items = ordering_of(queryset)
    except OrderingError:
        return queryset
    with suppress(OrderingError):
        return ordered(queryset, resolve_ordering(queryset, items))
    # There are no positions in it, as by JSON, but ties there are.
    query = queryset.query
    fixed = query.distinct or query.group_by or not query.standard_ordering
    return queryset if fixed else queryset.order_by(*items, "pk")
