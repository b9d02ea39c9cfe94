"""What the rows of a queryset are, and what they have."""

from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.expressions import Ref

from drf_apikit.keyset.errors import OrderingError

__all__ = ["RowNames", "read_value", "refuse_unpageable"]

#: What positions hold as it is.
_VALUES: Final = (str, int, float, Decimal, date, time, timedelta, UUID, bytes)


class RowNames:
    """The names under which the rows of a queryset have their values.

    `fixed` rows cannot be annotated without becoming other rows: groups of
    `values()` with aggregates, and distinct ones. `keys` are the members of
    rows that are dicts.
    """

    def __init__(self, queryset: Any) -> None:
        query = queryset.query
        self._names, self._deferred = query.deferred_loading
        self._attnames = {f.name: f.attname for f in queryset.model._meta.fields}
        self._as_dicts = not query.default_cols
        self._groups = query.group_by if isinstance(query.group_by, tuple) else ()
        self._shown = (*query.select, *query.annotation_select.values())
        self.fixed = self._as_dicts and bool(query.group_by or query.distinct)
        self.keys: tuple[str, ...] = ()
        if self._as_dicts:
            self.keys = (*query.values_select, *query.annotation_select)

    def has(self, field: Any) -> bool:
        """Tell whether a row has this column of its own table, under its attname."""
        if self._as_dicts:
            return field.attname in self.keys
        named = field.name in self._names or field.attname in self._names
        return not named if self._deferred else named or field.primary_key

    def attribute(self, name: Any) -> str:
        """Give the key under which a fixed row has a column.

        Raises:
            OrderingError: it has no such key.

        """
        for key in self.keys:
            if name in (key, self._attnames.get(key)):
                return key
        raise OrderingError(
            f"grouped and distinct rows have no {name!r} to be ordered by"
        )

    def identity(self) -> tuple[str, ...]:
        """Give the keys that tell fixed rows apart.

        Raises:
            OrderingError: they lack a column that they are grouped by.

        """
        for group in self._groups:
            if not isinstance(group, Ref) and group not in self._shown:
                raise OrderingError("grouped rows lack what they are grouped by")
        return self.keys


def read_value(row: Any, attribute: str, field: Any) -> Any:
    """Read one value of a row, as a position can hold it.

    Raises:
        OrderingError: the row does not have it.

    """
    try:
        value = row[attribute] if isinstance(row, Mapping) else getattr(row, attribute)
    except (KeyError, AttributeError):
        hint = "; use values()" if isinstance(row, tuple) else ""
        raise OrderingError(f"the rows have no {attribute!r}{hint}") from None
    if value is None or isinstance(value, _VALUES):
        return value
    if isinstance(value, memoryview):
        return bytes(value)
    return field.get_prep_value(value)


def refuse_unpageable(queryset: Any) -> None:
    """See that pages can be cut from a queryset.

    Raises:
        OrderingError: they cannot, and why.

    """
    if not isinstance(queryset, QuerySet):
        raise OrderingError(f"a {type(queryset).__name__} is no queryset")
    query: Any = queryset.query
    reasons = {
        "a union, intersection or difference": query.combinator,
        "a slice": query.is_sliced,
        "DISTINCT ON": query.distinct_fields,
        "extra(order_by=...)": query.extra_order_by,
    }
    for what, found in reasons.items():
        if found:
            raise OrderingError(f"no position can be found in {what}")
