"""The rows beyond a position: as many as are wanted, and whether there are more."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import QuerySet, prefetch_related_objects

from drf_apikit.keyset.items import items_of
from drf_apikit.keyset.ordering import Ordering, resolve_ordering
from drf_apikit.keyset.planner import plan
from drf_apikit.keyset.repetition import repeats_rows

__all__ = ["Slice", "keyset_iterator", "read_slice"]

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows in the order of the list, whichever way they were found.

    `begin` and `end` are the positions of the first and the last row, None
    without rows; `more` says that there are further rows on the far side, and
    `few_ties` that the first term changes among these rows: then not many of
    those beyond them can be equal to the last or the first of them.
    """

    rows: list[Any]
    begin: tuple[Any, ...] | None
    end: tuple[Any, ...] | None
    more: bool
    few_ties: bool = False


def read_slice(
    queryset: Any,
    ordering: Ordering,
    limit: int,
    position: Sequence[Any] | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = False,
    few_ties: bool = False,
) -> Slice:
    """Read up to `limit` rows beyond a position; from the beginning for None.

    With `reverse` those before it, or the last ones of all. `few_ties` is what
    the slice said that the position is of; it saves a query. One query in most
    cases, one for each term and each NULL at the most.

    Raises:
        OrderingError: rows that lack a column of the ordering.

    """
    way = ordering.reversed() if reverse else ordering
    lookups = queryset._prefetch_related_lookups
    # A router may name another database each time that it is asked.
    bare = queryset.using(queryset.db).prefetch_related(None)
    parts = plan(bare, way, position, inclusive=inclusive, few_ties=few_ties)
    rows = _collect(parts, limit + 1)
    if repeats_rows(bare):
        rows = _each_once(bare, way, rows, limit + 1)
    more = len(rows) > limit
    del rows[limit:]
    # Once for all parts, and not for the row that only shows that there is more.
    prefetch_related_objects(rows, *lookups)
    if reverse:
        rows.reverse()
    begin = ordering.values_of(rows[0]) if rows else None
    end = ordering.values_of(rows[-1]) if rows else None
    _remove(rows, ordering)
    return Slice(rows, begin, end, more, _changes(begin, end))


def keyset_iterator(
    queryset: "QuerySet[Any, Row]", ordering: Any = (), chunk_size: int = 2000
) -> Iterator[Row]:
    """Iterate over all rows of a table, chunk by chunk, in constant memory.

    No query is open between chunks and none looks at rows that were given
    already, so it can take hours while others write: each row that is there
    throughout, and whose place in the ordering does not change, comes exactly
    once. `ordering` is one item of `order_by()` or several; the primary key is
    appended, and alone orders the rows if there is none. `prefetch_related`
    works, once for each chunk.

    Raises:
        OrderingError: an ordering that has no positions.
        ValueError: a chunk size below 1.

    """
    if chunk_size < 1:
        raise ValueError(f"a chunk has at least one row, not {chunk_size}")
    pinned = queryset.using(queryset.db)
    return _iterate(pinned, resolve_ordering(pinned, items_of(ordering)), chunk_size)


def _iterate(
    queryset: QuerySet[Any], ordering: Ordering, chunk_size: int
) -> Iterator[Any]:
    found = read_slice(queryset, ordering, chunk_size)
    yield from found.rows
    while found.more:
        few_ties, position = found.few_ties, found.end
        found = read_slice(queryset, ordering, chunk_size, position, few_ties=few_ties)
        yield from found.rows


def _collect(parts: Iterable[QuerySet[Any]], wanted: int) -> list[Any]:
    rows: list[Any] = []
    for part in parts:
        rows.extend(part[: wanted - len(rows)])
        if len(rows) == wanted:
            break
    return rows


def _each_once(
    queryset: QuerySet[Any], way: Ordering, rows: list[Any], wanted: int
) -> list[Any]:
    """Drop rows that a filter gave again, and go on until there are enough."""
    once: list[Any] = []
    while rows:
        positions = [way.values_of(row) for row in rows]
        before = way.values_of(once[-1]) if once else None
        # Those of one row stand side by side.
        once += [
            row
            for row, position, previous in zip(
                rows, positions, [before, *positions], strict=False
            )
            if position != previous
        ]
        full = len(once) >= wanted or len(rows) < wanted
        rows = [] if full else _collect(plan(queryset, way, positions[-1]), wanted)
    return once[:wanted]


def _changes(begin: tuple[Any, ...] | None, end: tuple[Any, ...] | None) -> bool:
    return begin is not None and end is not None and begin[0] != end[0]


def _remove(rows: Sequence[Any], ordering: Ordering) -> None:
    """Take out of dicts what the caller has not selected."""
    for name in ordering.annotations():
        for row in rows:
            if isinstance(row, dict):
                del row[name]
