"""Joins that do not change how many rows there are."""

from typing import Any

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db.models import QuerySet
from django.db.models.sql.constants import INNER, LOUTER

from drf_apikit.keyset.repetition import leads_to_one

__all__ = ["without_unused_joins"]


def without_unused_joins(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """Drop the joins to one row that no filter looks at.

    They come from annotations, which a count leaves out, while Django keeps
    their joins. Where rows are grouped, distinct or not Django's own SQL, all
    stays as it was.
    """
    query = queryset.query
    if len(query.alias_map) < 2 or _depends_on_more(query):
        return queryset
    used = _used_by_filters(queryset)
    needed: set[str | None] = set()
    for alias, join in query.alias_map.items():
        if alias in used or not _keeps_number(join):
            needed |= _with_parents(alias, query.alias_map)
    if needed >= query.alias_map.keys():
        return queryset
    # Nothing that is selected may name what is not joined any more.
    lighter = queryset.values(*(p.attname for p in queryset.model._meta.pk_fields))
    for alias, references in query.alias_refcount.items():
        if alias not in needed:
            lighter.query.unref_alias(alias, references)
    return lighter


def _depends_on_more(query: Any) -> bool:
    shaped = query.group_by or query.distinct or query.combinator or query.is_sliced
    foreign = query.extra or query.extra_tables
    return bool(shaped or foreign) or any(
        getattr(annotation, name, False)
        for annotation in query.annotations.values()
        for name in ("contains_aggregate", "contains_over_clause", "set_returning")
    )


def _used_by_filters(queryset: Any) -> set[str]:
    """Give the aliases that WHERE names; the SQL tells more surely than its tree."""
    query = queryset.query
    compiler = query.get_compiler(queryset.db)
    try:
        sql, _ = compiler.compile(query.where)
    except (EmptyResultSet, FullResultSet):
        return set()
    quote = compiler.connection.ops.quote_name
    # Raw SQL may name a table without quotes, as some versions of Django do aliases.
    return {a for a in query.alias_map if f"{quote(a)}." in sql or f"{a}." in sql}


def _keeps_number(join: Any) -> bool:
    """Tell whether each row meets exactly one row by this join."""
    if not leads_to_one(join):
        return False
    if join.join_type == LOUTER:
        return True
    field = join.join_field
    held = field.concrete and not field.null and getattr(field, "db_constraint", False)
    return join.join_type == INNER and bool(held)


def _with_parents(alias: str | None, alias_map: Any) -> set[str | None]:
    found: set[str | None] = set()
    while alias is not None:
        found.add(alias)
        alias = getattr(alias_map[alias], "parent_alias", None)
    return found
