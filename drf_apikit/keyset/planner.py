"""From an ordering and a position to the query for the rows beyond it."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet

from drf_apikit.keyset.ordering import Ordering, Term

__all__ = ["seek"]


def seek(
    queryset: QuerySet[Any],
    ordering: Ordering,
    values: Sequence[Any] | None = None,
    *,
    inclusive: bool = False,
) -> QuerySet[Any]:
    """Order the rows and start beyond the position that `values` describe.

    `values` has one value for each term, as `Ordering.values_of` gives them;
    None starts at the first row. With `inclusive` the row at the position comes
    along. All comparisons are the database's own, collations included.
    """
    if not queryset.query.values_select:
        # Rows of `values()` are what the caller has chosen, and nothing more.
        queryset = queryset.annotate(**ordering.annotations())
    queryset = queryset.order_by(*map(str, ordering.terms))
    if values is None:
        return queryset
    return queryset.filter(_beyond(ordering.terms, values, inclusive=inclusive))


def _beyond(terms: Sequence[Term], values: Sequence[Any], *, inclusive: bool) -> Q:
    """Build `a > 1 OR (a = 1 AND b > 2) OR ...`, with a bound on the first term.

    The bound says nothing new; it is what lets an index start at the position.
    """
    prefix = Q()
    alternatives: list[Q] = []
    for term, value in zip(terms, values, strict=True):
        after = _after(term, value)
        if after is not None:
            alternatives.append(prefix & after)
        prefix &= _equal(term, value)
    if inclusive:
        alternatives.append(prefix)
    if not alternatives:
        return Q(pk__in=[])
    predicate = alternatives[0]
    for alternative in alternatives[1:]:
        predicate |= alternative
    first, value = terms[0], values[0]
    if first.nullable or value is None:
        return predicate
    return (
        Q(**{f"{first.path}__{'lte' if first.descending else 'gte'}": value})
        & predicate
    )


def _after(term: Term, value: Any) -> Q | None:
    """Give the rows that this term alone puts beyond the value; None for none.

    A column that cannot be NULL never meets an IS NULL, which would cost it
    the use of its index.
    """
    if value is None:
        return None if term.nulls_last else Q(**{f"{term.path}__isnull": False})
    beyond = Q(**{f"{term.path}__{'lt' if term.descending else 'gt'}": value})
    if term.nullable and term.nulls_last:
        beyond |= Q(**{f"{term.path}__isnull": True})
    return beyond


def _equal(term: Term, value: Any) -> Q:
    if value is None:
        return Q(**{f"{term.path}__isnull": True})
    return Q(**{term.path: value})
