"""Conditions on one term, and on several at once.

A column that cannot be NULL never meets an IS NULL, which would cost it the use
of its index.
"""

from collections.abc import Sequence
from typing import Any

from django.db.models import BooleanField, F, Func, Q, Value

from drf_apikit.keyset.terms import Term

__all__ = ["RowsBeyond", "alternatives", "at", "beyond", "impossible", "is_null"]


class RowsBeyond(Func):
    """`(a, b) > (1, 2)`: the rows behind a position, if all columns go one way."""

    output_field = BooleanField()

    def __init__(self, terms: Sequence[Term], values: Sequence[Any]) -> None:
        columns = [F(term.name) for term in terms]
        given = [
            Value(value, output_field=term.field)
            for term, value in zip(terms, values, strict=True)
        ]
        super().__init__(*columns, *given)
        self.descending = terms[0].descending

    def as_sql(
        self, compiler: Any, connection: Any, *_: Any, **__: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """Write both sides, of the same length."""
        del connection
        parts = [compiler.compile(part) for part in self.source_expressions]
        half = len(parts) // 2
        left, right = (
            ", ".join(sql for sql, _ in side) for side in (parts[:half], parts[half:])
        )
        sign = "<" if self.descending else ">"
        parameters = tuple(value for _, values in parts for value in values)
        return f"({left}) {sign} ({right})", parameters


def at(terms: Sequence[Term], position: Sequence[Any]) -> Q:
    """Give the rows that are equal to a position in all these terms."""
    given = Q()
    for term, value in zip(terms, position, strict=True):
        given &= _equal(term, value)
    return given


def beyond(term: Term, value: Any) -> Q:
    """Give the rows with a greater value, or a smaller one: never the NULLs."""
    return Q(**{f"{term.name}__{'lt' if term.descending else 'gt'}": value})


def is_null(term: Term, *, null: bool) -> Q:
    """Give the rows with NULL, or all others."""
    return Q(**{f"{term.name}__isnull": null})


def alternatives(
    terms: Sequence[Term], position: Sequence[Any], *, inclusive: bool
) -> Q:
    """Give `a > 1 OR (a = 1 AND b > 2)`, with a bound on the first term.

    The bound says nothing new; it is what lets an index start at the position.
    """
    given, found = Q(), _nothing(terms)
    for term, value in zip(terms, position, strict=True):
        if value is not None:
            found |= given & beyond(term, value)
        if term.nullable and (value is None) != term.nulls_last:
            found |= given & is_null(term, null=value is not None)
        given &= _equal(term, value)
    if inclusive:
        # Without terms all rows are at the position.
        found = found | given if given else given
    if not terms or terms[0].nullable:
        return found
    first = terms[0]
    bound = Q(**{f"{first.name}__{'lte' if first.descending else 'gte'}": position[0]})
    return bound & found


def impossible(terms: Sequence[Term], position: Sequence[Any]) -> Q:
    """Give an alternative without rows and without NULL in the first term.

    Where all alternatives say IS NULL of it, MariaDB looks at nothing else and
    reads the block of NULLs from its start.
    """
    last, value = terms[-1], position[-1]
    if value is None:
        return _nothing(terms)
    nothing = {f"{last.name}__lt": value, f"{last.name}__gt": value}
    return is_null(terms[0], null=False) & Q(**nothing)


def _nothing(terms: Sequence[Term]) -> Q:
    """Give a condition that no row meets.

    It names a term, since among aggregates the rows would be grouped by any other
    column as well.
    """
    return Q(**{f"{terms[0].name if terms else 'pk'}__in": []})


def _equal(term: Term, value: Any) -> Q:
    if value is None:
        return is_null(term, null=True)
    if isinstance(value, bool):
        # Django writes a comparison with True as the bare column, for which
        # SQLite and MariaDB look into no index.
        return Q(**{f"{term.name}__in": [value]})
    return Q(**{term.name: value})
