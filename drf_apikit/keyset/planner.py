"""From an ordering and a position to the queries for the rows beyond it.

No single predicate is fast on every database. Each has its dialect here; the
measurements are in the documentation, under "The planner".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import connections
from django.db.models import BooleanField, F, Func, Q, QuerySet, Value

from drf_apikit.keyset.ordering import Ordering
from drf_apikit.keyset.terms import Term

__all__ = ["Dialect", "dialect_of", "ordered", "plan"]

Condition = Q | Func


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a database is asked in.

    `row_values`: `(a, b) > (1, 2)` is one range of an index. `alternatives`:
    `a > 1 OR (a = 1 AND b > 2)` is. `null_placement`: so is an ORDER BY with
    NULLS FIRST or LAST, given an index that has it. `pinned_terms`: ORDER BY
    should name columns whose value is given, or else the index is not used.
    """

    row_values: bool = False
    alternatives: bool = False
    null_placement: bool = False
    pinned_terms: bool = True


_GENERIC: Final = Dialect()
_DIALECTS: Final[Mapping[str, Dialect]] = {
    "postgresql": Dialect(row_values=True, null_placement=True),
    "sqlite": Dialect(),
    "mysql": Dialect(alternatives=True, pinned_terms=False),
}


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the rows beyond, in order; `pinned` terms have one value in all."""

    condition: Q
    pinned: Sequence[Term]
    terms: Sequence[Term]
    comparison: "_RowsBeyond | None" = None


class _RowsBeyond(Func):
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
) -> list[QuerySet[Any]]:
    """Give the queries whose rows, one after another, are those beyond a position.

    `position` has one value for each term, as `Ordering.values_of` gives them;
    None begins at the first row. With `inclusive` the row at the position comes
    along. No row is in two of them, so that a page is full as soon as enough
    rows have come; what is selected, fetched along and filtered stays as it was.
    All comparisons are the database's own, collations included.
    """
    dialect = dialect_of(queryset)
    base = _forward(queryset).annotate(**ordering.annotations())
    terms = ordering.terms
    if position is None:
        parts = list(_from_start(terms, (), Q(), dialect))
    elif dialect.alternatives and all(map(_in_place, terms)):
        parts = [_alternatives(terms, position, inclusive=inclusive)]
    else:
        parts = list(_branches(terms, position, dialect, inclusive=inclusive))
    return [_query(base, part, dialect) for part in parts]


def _forward(queryset: Any) -> QuerySet[Any]:
    """Undo `reverse()`, which would turn every ordering that is given later."""
    turned = not queryset.query.standard_ordering
    forward: QuerySet[Any] = queryset.reverse() if turned else queryset
    return forward


def _query(base: QuerySet[Any], part: _Part, dialect: Dialect) -> QuerySet[Any]:
    queryset = base.filter(part.condition) if part.condition else base
    if part.comparison is not None:
        queryset = queryset.filter(part.comparison)
    terms = (*part.pinned, *part.terms) if dialect.pinned_terms else part.terms
    return queryset.order_by(*(_order_by(term) for term in terms))


def _order_by(term: Term) -> Any:
    if _in_place(term):
        return f"-{term.name}" if term.descending else term.name
    place = {"nulls_last" if term.nulls_last else "nulls_first": True}
    column = F(term.name)
    return column.desc(**place) if term.descending else column.asc(**place)


def _from_start(
    terms: Sequence[Term], pinned: Sequence[Term], given: Q, dialect: Dialect
) -> Iterator[_Part]:
    """Give all rows; NULLs apart where the index has them at the other end."""
    if not terms or dialect.null_placement or _in_place(terms[0]):
        yield _Part(given, pinned, terms)
        return
    term, *rest = terms
    present = _Part(given & _is_null(term, null=False), pinned, [_plain(term), *rest])
    null = given & _is_null(term, null=True)
    absent = _from_start(rest, [*pinned, _plain(term)], null, dialect)
    yield from (present, *absent) if term.nulls_last else (*absent, present)


def _branches(
    terms: Sequence[Term],
    position: Sequence[Any],
    dialect: Dialect,
    *,
    inclusive: bool,
) -> Iterator[_Part]:
    """Give disjoint ranges of the index, those that share most with the position first.

    `a = 1 AND b > 2`, then `a > 1`.
    """
    if inclusive:
        yield _Part(_at(terms, position), terms, ())
    end = len(terms)
    while end > 0:
        begin = _run(terms, end) if dialect.row_values else end - 1
        given, pinned = _at(terms[:begin], position), terms[:begin]
        if end - begin > 1:
            beyond = _RowsBeyond(terms[begin:end], position[begin:end])
            yield _Part(given, pinned, terms[begin:], beyond)
        else:
            yield from _behind(terms, position[begin], begin, given, dialect)
        end = begin


def _behind(
    terms: Sequence[Term], value: Any, index: int, given: Q, dialect: Dialect
) -> Iterator[_Part]:
    """Give the rows that one term alone puts behind the value."""
    pinned, term, rest = terms[:index], terms[index], terms[index + 1 :]
    kept = term if dialect.null_placement else _plain(term)
    if value is None:
        if not term.nulls_last:
            present = given & _is_null(term, null=False)
            yield _Part(present, pinned, [kept, *rest])
        return
    yield _Part(given & _beyond(term, value), pinned, [kept, *rest])
    if term.nullable and term.nulls_last:
        null = given & _is_null(term, null=True)
        yield from _from_start(rest, [*pinned, kept], null, dialect)


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
    terms: Sequence[Term], position: Sequence[Any], *, inclusive: bool
) -> _Part:
    """Give `a > 1 OR (a = 1 AND b > 2)`, with a bound on the first term.

    The bound says nothing new; it is what lets an index start at the position.
    """
    given, found = Q(), Q(pk__in=[])
    for term, value in zip(terms, position, strict=True):
        if value is not None:
            found |= given & _beyond(term, value)
        if term.nullable and (value is None) != term.nulls_last:
            found |= given & _is_null(term, null=value is not None)
        given &= _equal(term, value)
    if inclusive:
        found |= given
    first = terms[0]
    if first.nullable:
        return _Part(found, (), terms)
    bound = Q(**{f"{first.name}__{'lte' if first.descending else 'gte'}": position[0]})
    return _Part(bound & found, (), terms)


def _at(terms: Sequence[Term], position: Sequence[Any]) -> Q:
    given = Q()
    for term, value in zip(terms, position, strict=False):
        given &= _equal(term, value)
    return given


def _equal(term: Term, value: Any) -> Q:
    if value is None:
        return _is_null(term, null=True)
    if isinstance(value, bool):
        # Django writes a comparison with True as the bare column, for which
        # SQLite looks into no index.
        return Q(**{f"{term.name}__in": [value]})
    return Q(**{term.name: value})


def _beyond(term: Term, value: Any) -> Q:
    return Q(**{f"{term.name}__{'lt' if term.descending else 'gt'}": value})


def _is_null(term: Term, *, null: bool) -> Q:
    return Q(**{f"{term.name}__isnull": null})


def _in_place(term: Term) -> bool:
    return term.native or not term.nullable


def _plain(term: Term) -> Term:
    """Give the term for rows in which it has no NULL, or nothing else."""
    return replace(term, native=True)
