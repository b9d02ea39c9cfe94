"""How many rows there are: exactly, up to a bound, or about."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.db import connections
from django.db.models import QuerySet

from drf_apikit.counters import count
from drf_apikit.keyset.joins import without_unused_joins
from drf_apikit.keyset.timeouts import StatementTimeoutError, statement_timeout

__all__ = ["STRATEGIES", "Relation", "Total", "count_rows"]

Relation = Literal["exact", "at_least", "approximate"]

STRATEGIES: Final = ("exact", "bounded", "estimated", "none")


@dataclass(frozen=True, slots=True)
class Total:
    """A number of rows, and how it relates to the true one.

    `exact`, `at_least` (there may be more) or `approximate` (there may be more
    or fewer). Both are None if nothing is known.
    """

    count: int | None = None
    relation: Relation | None = None


def count_rows(
    queryset: QuerySet[Any],
    strategy: str = "exact",
    *,
    bound: int = 10_000,
    timeout: int | None = None,
) -> Total:
    """Count without what does not change the number: ordering, prefetch, joins.

    `bounded` counts up to `bound` and then stops: `at_least`. `estimated` is
    what PostgreSQL's planner expects, `approximate`; elsewhere, where there is
    nothing of the kind that could be trusted, it is `bounded`. `none` asks
    nothing.

    `timeout`, in milliseconds, makes `exact` fall back to `bounded`, and that to
    an empty `Total`.

    Raises:
        ValueError: another strategy.

    """
    if strategy not in STRATEGIES:
        raise ValueError(f"{strategy!r} is no way to count")
    if strategy == "none":
        return Total()
    # A router may name another database each time that it is asked.
    queryset = queryset.using(queryset.db)
    sliced = queryset.query.is_sliced
    # Not the rows that may have been fetched already: a slice of them is a list.
    rows = queryset.all() if sliced else without_unused_joins(queryset.order_by())
    if strategy == "estimated" and connections[queryset.db].vendor == "postgresql":
        return Total(_estimate(rows), "approximate")
    ways: dict[str, Callable[[], Total]] = {"bounded": lambda: _bounded(rows, bound)}
    if strategy == "exact":
        ways = {"exact": lambda: Total(rows.count(), "exact"), **ways}
    if timeout is None:
        return next(iter(ways.values()))()
    return _within(timeout, ways, queryset.db)


def _within(timeout: int, ways: Mapping[str, Callable[[], Total]], using: str) -> Total:
    """Give the first total that is there in time."""
    for name, way in ways.items():
        with suppress(StatementTimeoutError), statement_timeout(timeout, using):
            return way()
        count("pagination.count_timed_out", strategy=name)
    return Total()


def _bounded(rows: QuerySet[Any], bound: int) -> Total:
    found = rows[: bound + 1].count()
    return Total(bound, "at_least") if found > bound else Total(found, "exact")


def _estimate(rows: QuerySet[Any]) -> int:
    """Ask the planner; it works with statistics, and reads no row."""
    text = rows.explain(format="json")
    # Where Django knows that there are none, it asks nothing.
    return int(json.loads(text)[0]["Plan"]["Plan Rows"]) if text else 0
