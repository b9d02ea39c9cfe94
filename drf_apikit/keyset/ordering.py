"""An ordering, resolved once: total, typed, and aware of NULL."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet

from drf_apikit.keyset.items import items_of, turned
from drf_apikit.keyset.repetition import refuse_several_identities
from drf_apikit.keyset.rows import RowNames, read_value, refuse_unpageable
from drf_apikit.keyset.terms import Term, TermResolver

__all__ = ["Ordering", "ordering_of", "resolve_ordering"]


@dataclass(frozen=True, slots=True)
class Ordering:
    """A total ordering of the rows of one queryset."""

    model: type[Model]
    terms: tuple[Term, ...]

    def reversed(self) -> "Ordering":
        """Give the ordering from the last row to the first."""
        return Ordering(self.model, tuple(term.reversed() for term in self.terms))

    def annotations(self) -> dict[str, Any]:
        """Give what the rows have to be annotated with.

        Following relations later would cost queries, and read what may have
        changed meanwhile.
        """
        return {
            term.name: term.expression
            for term in self.terms
            if term.expression is not None
        }

    def values_of(self, row: Any) -> tuple[Any, ...]:
        """Read the position of a row: one value for each term.

        Raises:
            OrderingError: the row lacks a column.

        """
        return tuple(_read(row, term) for term in self.terms)

    def fingerprint(self) -> str:
        """Tell this ordering from any other, also after a column changed type."""
        terms = ",".join(
            f"{term}:{term.meaning}:{term.field.get_internal_type()}:{term.nullable}"
            for term in self.terms
        )
        return f"{self.model._meta.label_lower}|{terms}"


def _read(row: Any, term: Term) -> Any:
    value = read_value(row, term.attribute, term.field)
    return None if value == "" and term.empty_is_null else value


def resolve_ordering(queryset: QuerySet[Any], ordering: Iterable[Any]) -> Ordering:
    """Resolve what may stand in `order_by()`, and make the ordering total.

    Names such as `-created` and `author__name`, annotations, and expressions
    such as `F("score").desc(nulls_last=True)`. NULLs stay where the database
    puts them of its own accord, unless an expression says otherwise. Where no
    unique key is among the terms, the primary key is appended, all parts of a
    composite one.

    Raises:
        OrderingError: nothing that these rows can be ordered by, or no rows that
            pages can be cut from.

    """
    refuse_unpageable(queryset)
    refuse_several_identities(queryset)
    items = items_of(tuple(ordering))
    if _is_bare(queryset) and all(isinstance(item, str) for item in items):
        model: Any = queryset.model
        using = queryset.db
        return _resolve_names(model, items, using, connections[using].vendor)
    return _resolve(queryset, items)


@lru_cache(maxsize=1024)
def _resolve_names(
    model: type[Model], names: tuple[str, ...], using: str, _vendor: str
) -> Ordering:
    """Resolve names that mean the same in every request."""
    return _resolve(QuerySet(model, using=using), names)


def _is_bare(queryset: Any) -> bool:
    """Tell whether rows are whole, and have nothing but the columns of the model."""
    query = queryset.query
    whole = query.default_cols and not query.deferred_loading[0]
    return whole and not query.annotations


def _resolve(queryset: QuerySet[Any], items: tuple[Any, ...]) -> Ordering:
    resolver = TermResolver(queryset)
    unique = _unique_keys(queryset)
    terms: dict[str, Term] = {}
    for item in items:
        for term in resolver.resolve(item):
            # A column that is named again cannot tell rows apart any more.
            terms.setdefault(term.text, term)
            if _is_total(terms.values(), unique):
                return Ordering(queryset.model, tuple(terms.values()))
    descending = bool(terms) and list(terms.values())[-1].descending
    for name in _identity(queryset):
        for term in resolver.resolve(f"-{name}" if descending else name):
            terms.setdefault(term.text, term)
    return Ordering(queryset.model, tuple(terms.values()))


def ordering_of(queryset: QuerySet[Any]) -> tuple[Any, ...]:
    """Give the ordering that a queryset has of itself, or of its model.

    Raises:
        OrderingError: no rows that pages can be cut from.

    """
    refuse_unpageable(queryset)
    query: Any = queryset.query
    items: tuple[Any, ...] = query.order_by
    # As Django does it: groups do not have the ordering of their model.
    if not items and query.default_ordering and not isinstance(query.group_by, tuple):
        items = tuple(queryset.model._meta.ordering)
    return items if query.standard_ordering else tuple(map(turned, items))


def _identity(queryset: Any) -> tuple[str, ...]:
    """Give the names that tell all rows apart."""
    rows = RowNames(queryset)
    parts = tuple(part.attname for part in queryset.model._meta.pk_fields)
    # An annotation may have taken the name of the key.
    columns = set(rows.keys) - set(queryset.query.annotations)
    if rows.fixed and not set(parts) <= columns:
        return rows.identity()
    return parts


def _unique_keys(queryset: Any) -> list[frozenset[str]]:
    """Give the sets of columns that no two rows have the same values in."""
    options = queryset.model._meta
    fields = {field.name: field for field in options.fields}
    keys = [frozenset([field.attname]) for field in options.fields if field.unique]
    keys.append(frozenset(part.attname for part in options.pk_fields))
    constraints = [
        constraint.fields
        for constraint in options.total_unique_constraints
        # Until its transaction ends, a deferred one holds nothing.
        if constraint.deferrable is None
    ]
    together = (*options.unique_together, *constraints)
    keys += [frozenset(fields[name].attname for name in names) for names in together]
    return keys


def _is_total(terms: Iterable[Term], unique: Iterable[frozenset[str]]) -> bool:
    present = set(_never_null(terms))
    return any(key <= present for key in unique)


def _never_null(terms: Iterable[Term]) -> Iterator[str]:
    return (term.column for term in terms if not term.nullable)
