"""Lists that count all rows of a large table for a page."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

from django.core.paginator import Paginator
from django.db import connections
from django.db.models import Model
from rest_framework import pagination as drf

from drf_apikit.conf import apikit_settings
from drf_apikit.doctor.attempts import Attempt
from drf_apikit.doctor.findings import (
    LARGE,
    Context,
    Examination,
    Finding,
    Probe,
    Subject,
    View,
)
from drf_apikit.keyset.timeouts import StatementTimeoutError, statement_timeout
from drf_apikit.pagination import CursorPagination
from drf_apikit.pagination.envelope import EnvelopePagination
from drf_apikit.pagination.offset import OffsetPagination

__all__ = ["PROBE", "Size", "size_of"]

_EXACT: Final = "counts.exact"
#: Kinds of relations that PostgreSQL counts the rows of: tables, also partitioned
#: ones, and materialized views.
_COUNTED: Final = frozenset("rpm")
_OURS: Final = (
    "Set count_strategy = 'bounded' (or COUNT), or give it a count_timeout: an exact"
    " count reads every row."
)
_DRFS: Final = (
    "Use the class of that name in drf_apikit.pagination, with count_strategy"
    " 'bounded'."
)


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows a table has, at least or about, and that in words."""

    rows: int
    text: str


def _examinations(context: Context) -> Iterator[Examination]:
    yield Examination("lists", partial(_findings, context))


def _findings(context: Context) -> Iterator[Finding]:
    size, exact, large = cache(partial(_sized, context)), 0, 0
    for view in context.lists():
        remedy = _counts_exactly(view.get("pagination_class"))
        place = _place(view) if remedy else None
        if place is None or place[0] not in context.databases:
            continue
        exact += 1
        found = size(*place)
        if found.rows > context.large:
            large += 1
            table = place[1]._meta.db_table
            seen = f"Its pages count the rows of {table}, which has {found.text}."
            yield Subject(str(view)).risk(_EXACT, seen, remedy)
    if not large:
        seen = f"{exact} lists count exactly, up to {context.large:,} rows at the most."
        yield Subject("lists").ok(_EXACT, seen)


def size_of(alias: str, model: type[Model], most: int, timeout: float) -> Size:
    """Estimate the rows of a table; count them, but not further than `most`.

    `timeout` is in seconds.
    """
    estimate = _estimate(connections[alias], model._meta.db_table)
    if estimate is not None:
        return Size(estimate, f"about {estimate:,} rows")
    counted = model._base_manager.using(alias).order_by()[: most + 1]
    try:
        with statement_timeout(int(1000 * timeout), alias):
            rows = counted.count()
    except StatementTimeoutError:
        return Size(most + 1, f"more rows than are counted in {timeout:g} seconds")
    many = f"more than {most:,} rows"
    return Size(rows, many if rows > most else f"{rows:,} rows")


def _sized(context: Context, alias: str, model: type[Model]) -> Size:
    return size_of(alias, model, context.large, context.timeout / 2)


def _estimate(connection: Any, table: str) -> int | None:
    """Ask for what the database knows without counting; None if it knows nothing."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            name = connection.ops.quote_name(table)
            cursor.execute(
                "SELECT reltuples::bigint, relkind FROM pg_class"
                " WHERE oid = to_regclass(%s)",
                [name],
            )
            rows, kind = cursor.fetchone() or (0, "")
            # It is 0 or -1 before the first ANALYZE.
            return int(rows) if kind in _COUNTED and rows > 0 else None
        if connection.vendor == "mysql":
            cursor.execute(
                "SELECT table_rows FROM information_schema.tables"
                " WHERE table_schema = DATABASE() AND table_name = %s",
                [table],
            )
            (told,) = cursor.fetchone() or (None,)
            return None if told is None else int(told)
    return None


def _counts_exactly(paginator: Any) -> str:
    """Give the remedy for a paginator that counts all rows; empty for others."""
    if not isinstance(paginator, type):
        return ""
    if issubclass(paginator, EnvelopePagination):
        return _OURS if _ours_counts(paginator) else ""
    if issubclass(paginator, drf.LimitOffsetPagination):
        own = paginator.get_count is not drf.LimitOffsetPagination.get_count
        return "" if own else _DRFS
    if issubclass(paginator, drf.PageNumberPagination):
        counting = paginator.django_paginator_class
        own = inspect.getattr_static(counting, "count", None)
        return _DRFS if own is inspect.getattr_static(Paginator, "count") else ""
    return ""


def _ours_counts(paginator: Any) -> bool:
    """Tell whether there is an exact count without a limit of its time."""
    settings, known = apikit_settings.pagination, (CursorPagination, OffsetPagination)
    for name in ("get_count_strategy", "count_queryset"):
        plain = {getattr(one, name) for one in (EnvelopePagination, *known)}
        if getattr(paginator, name) not in plain:
            # A way of its own to count may do anything.
            return False
    timeout = paginator.count_timeout
    if settings.count_timeout if timeout is None else timeout:
        return False
    choices = paginator.count_choices
    offered = settings.count_choices if choices is None else choices
    strategy = paginator.count_strategy or settings.count
    return strategy == "exact" or "exact" in offered


def _place(view: View) -> tuple[str, type[Model]] | None:
    """Give the database and model of a view's rows; None if they are not declared."""
    # A manager of the project's own may raise whatever it likes.
    with Attempt():
        rows = view.rows
        if rows is not None:
            return str(rows.db), rows.model
    return None


PROBE: Final = Probe(
    "counts",
    "Lists of the URL configuration whose paginator counts all rows, and about how many"
    " there are: by the statistics of PostgreSQL and MariaDB, else counted up to a"
    " limit.",
    {_EXACT: f"no exact count of a table with more than {LARGE:,} rows (`--large`)"},
    _examinations,
)
