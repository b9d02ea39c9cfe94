"""Joins to many rows, which give a row of the model more than once."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.db.models.expressions import Col

from drf_apikit.keyset.errors import OrderingError

__all__ = ["each_once", "leads_to_one", "refuse_several_identities", "repeats_rows"]


def leads_to_one(join: Any) -> bool:
    """Tell whether a row meets one row at the most by this join."""
    field = getattr(join, "join_field", None)
    return field is not None and bool(field.many_to_one or field.one_to_one)


def repeats_rows(queryset: Any) -> bool:
    """Tell whether a filter may give a row several times over.

    Its positions are the same then, so pages give it once.
    """
    query = queryset.query
    return bool(not query.group_by and not query.distinct and _to_many(query))


def each_once(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """Give rows to be counted of which each is there once, as on the pages."""
    if not repeats_rows(queryset):
        return queryset
    key = [part.attname for part in queryset.model._meta.pk_fields]
    return queryset.order_by().values(*key).distinct()


def refuse_several_identities(queryset: Any) -> None:
    """See that rows with one primary key are one and the same row.

    Raises:
        OrderingError: they show columns of the many rows that they were joined to.

    """
    query = queryset.query
    if query.group_by:
        return
    many = _to_many(query)
    shown = (*query.select, *query.annotation_select.values())
    if query.distinct and not query.default_cols:
        # Rows of this kind are told apart by all that they show.
        return
    if any(column.alias in many for part in shown for column in _columns(part)):
        raise OrderingError(
            "rows that show a relation to many rows have no position; fetch those"
            " along by prefetch_related(), or filter by Exists()"
        )


def _columns(expression: Any) -> Iterator[Col]:
    return (part for part in expression.flatten() if isinstance(part, Col))


def _to_many(query: Any) -> set[str]:
    """Give the aliases of tables of which one row here meets several."""
    found: set[str] = set()
    for alias, join in query.alias_map.items():
        parent = getattr(join, "parent_alias", None)
        used = query.alias_refcount.get(alias)
        if parent and used and (parent in found or not leads_to_one(join)):
            found.add(alias)
    return found
