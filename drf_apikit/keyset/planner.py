"""From an ordering and a position to the queries for the rows beyond it.

No single predicate is fast on every database. Each has its dialect here; the
measurements are in the documentation, under "The planner".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import connections
from django.db.models import F, Q, QuerySet

from drf_apikit.keyset.ordering import Ordering
from drf_apikit.keyset.predicates import (
    RowsBeyond,
    alternatives,
    at,
    beyond,
    impossible,
    is_null,
)
from drf_apikit.keyset.terms import Term

__all__ = ["Dialect", "dialect_of", "ordered", "plan"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a database finds by one range of an index.

    `row_values`: `(a, b) > (1, 2)`. `alternatives`: `a > 1 OR (a = 1 AND b > 2)`,
    and nothing in which all rows have one value of the first column.
    """

    row_values: bool = False
    alternatives: bool = False


_GENERIC: Final = Dialect()
_DIALECTS: Final[Mapping[str, Dialect]] = {
    "postgresql": Dialect(row_values=True),
    "sqlite": _GENERIC,
    "mysql": Dialect(alternatives=True),
}


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the rows beyond, and what to order them by."""

    condition: Q
    terms: Sequence[Term]
    comparison: RowsBeyond | None = None


def dialect_of(queryset: QuerySet[Any]) -> Dialect:
    """Give the dialect of the queryset's database; a correct one for any other."""
    return _DIALECTS.get(connections[queryset.db].vendor, _GENERIC)


def ordered(queryset: QuerySet[Any], ordering: Ordering) -> QuerySet[Any]:
    """Give all rows in this ordering, in one query, with nothing added to them."""
    base = _forward(queryset)
    terms = map(_order_by, ordering.terms)
    found: QuerySet[Any] = base.alias(**ordering.annotations()).order_by(*terms)
    return found


def plan(
    queryset: QuerySet[Any],
    ordering: Ordering,
    position: Sequence[Any] | None = None,
    *,
    inclusive: bool = False,
    few_ties: bool = False,
) -> Iterator[QuerySet[Any]]:
    """Give the queries whose rows, one after another, are those beyond a position.

    Each is made when it is asked for, since most pages are full after the first.

    `position` has one value for each term, as `Ordering.values_of` gives them;
    None begins at the first row. With `inclusive` the row at the position comes
    along. `few_ties` is a hint that not many rows before the position are equal
    to it in the first term: then they can be passed over, in one query instead of
    two. No row is in two of them, so that a page is full as soon as enough
    rows have come; what is selected, fetched along and filtered stays as it was.
    All comparisons are the database's own, collations included.

    Raises:
        ValueError: a position that is shorter or longer than the ordering.

    """
    dialect = dialect_of(queryset)
    base, annotations = _forward(queryset), ordering.annotations()
    base = base.annotate(**annotations) if annotations else base
    terms = ordering.terms
    if position is not None and len(position) != len(terms):
        raise ValueError("a position has one value for each term")
    if position is None:
        parts = _from_start(terms, (), Q(), dialect)
    elif few_ties and _passes_over(terms, dialect) and not base.query.group_by:
        parts = iter([_Part(alternatives(terms, position, inclusive=inclusive), terms)])
    # MariaDB's HAVING knows columns that are selected, and no expression of others.
    elif dialect.alternatives and not base.query.group_by:
        parts = _alternatives(terms, position, dialect, inclusive=inclusive)
    else:
        parts = _branches(terms, position, dialect, inclusive=inclusive)
    return (_query(base, part) for part in parts)


def _forward(queryset: Any) -> QuerySet[Any]:
    """Undo `reverse()`, which would turn every ordering that is given later."""
    turned = not queryset.query.standard_ordering
    forward: QuerySet[Any] = queryset.reverse() if turned else queryset
    return forward


def _query(base: QuerySet[Any], part: _Part) -> QuerySet[Any]:
    queryset = base.filter(part.condition) if part.condition else base
    if part.comparison is not None:
        queryset = queryset.filter(part.comparison)
    return queryset.order_by(*map(_order_by, part.terms))


def _order_by(term: Term) -> Any:
    if _in_place(term):
        return f"-{term.name}" if term.descending else term.name
    place = {"nulls_last" if term.nulls_last else "nulls_first": True}
    column = F(term.name)
    return column.desc(**place) if term.descending else column.asc(**place)


def _from_start(
    terms: Sequence[Term], pinned: Sequence[Term], given: Q, dialect: Dialect
) -> Iterator[_Part]:
    """Give all rows; NULLs apart where the index has them at the other end.

    The pinned terms have one value in all rows. They stay in ORDER BY, since
    PostgreSQL would not see the index for rows that are all NULL; MariaDB would
    not see it because of them.
    """
    shown = () if dialect.alternatives else pinned
    if not terms or _in_place(terms[0]):
        yield _Part(given, [*shown, *terms])
        return
    term, *rest = terms
    plain = _plain(term)
    present = _Part(given & is_null(term, null=False), [*shown, plain, *rest])
    null = given & is_null(term, null=True)
    absent = _from_start(rest, [*pinned, plain], null, dialect)
    yield from (present, *absent) if term.nulls_last else (*absent, present)


def _branches(
    terms: Sequence[Term],
    position: Sequence[Any],
    dialect: Dialect,
    *,
    inclusive: bool,
) -> Iterator[_Part]:
    """Give disjoint ranges of the index, first what shares most with the position.

    `a = 1 AND b > 2`, then `a > 1`.
    """
    if inclusive:
        yield _Part(at(terms, position), terms)
    end = len(terms)
    while end > 0:
        begin = _run(terms, end) if dialect.row_values else end - 1
        given = at(terms[:begin], position[:begin])
        if end - begin > 1:
            row = RowsBeyond(terms[begin:end], position[begin:end])
            yield _Part(given, [*map(_plain, terms[:begin]), *terms[begin:]], row)
        else:
            yield from _behind(terms, position[begin], begin, given, dialect)
        end = begin


def _behind(
    terms: Sequence[Term], value: Any, index: int, given: Q, dialect: Dialect
) -> Iterator[_Part]:
    """Give the rows that one term alone puts behind the value."""
    pinned = [_plain(term) for term in terms[: index + 1]]
    term, rest = terms[index], terms[index + 1 :]
    if value is not None:
        yield _Part(given & beyond(term, value), [*pinned, *rest])
    if not term.nullable or (value is None) == term.nulls_last:
        return
    if value is None:
        yield _Part(given & is_null(term, null=False), [*pinned, *rest])
    else:
        null = given & is_null(term, null=True)
        yield from _from_start(rest, pinned, null, dialect)


def _passes_over(terms: Sequence[Term], dialect: Dialect) -> bool:
    """Tell whether a bound on the first term saves a query: not for a row value."""
    at_once = dialect.alternatives or (
        dialect.row_values and _run(terms, len(terms)) == 0
    )
    return not at_once and not terms[0].nullable


def _run(terms: Sequence[Term], end: int) -> int:
    """Give where the terms begin that can be compared at once, up to `end`."""
    begin = end - 1
    last = terms[begin]
    while begin > 0 and not last.nullable:
        before = terms[begin - 1]
        if before.nullable or before.descending != last.descending:
            break
        begin -= 1
    return begin


def _alternatives(
    terms: Sequence[Term],
    position: Sequence[Any],
    dialect: Dialect,
    *,
    inclusive: bool,
) -> Iterator[_Part]:
    """Give one range that takes all alternatives; NULLs of the first term apart.

    Apart where the index has them at the other end, and where nothing but NULLs
    can follow.
    """
    first, *rest = terms
    value, nulls_last = position[0], first.nulls_last
    plain = [_plain(first), *rest]
    apart = first.nullable and not first.native
    present = _Part(is_null(first, null=False), plain)
    if value is None and (apart or nulls_last):
        within = alternatives(rest, position[1:], inclusive=inclusive)
        block = is_null(first, null=True) & within
        yield _Part(block | impossible(terms, position), plain)
        if not nulls_last:
            yield present
    elif apart:
        known = replace(first, nullable=False)
        yield _Part(alternatives([known, *rest], position, inclusive=inclusive), plain)
        if nulls_last:
            yield from _from_start(rest, (), is_null(first, null=True), dialect)
    else:
        yield _Part(alternatives(terms, position, inclusive=inclusive), terms)


def _in_place(term: Term) -> bool:
    return term.native or not term.nullable


def _plain(term: Term) -> Term:
    """Give the term for rows in which it has no NULL, or nothing else."""
    return replace(term, native=True)
