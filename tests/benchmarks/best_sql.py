"""The raw SQL that somebody who knows the database well would write for a page.

Several forms for each, since no single one is the best on every database: the
benchmark takes what turns out to be the fastest. None is taken from the engine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

__all__ = ["Statement", "all_forms", "forms"]

SELECT: Final = """SELECT id, created, score, cat, name, body FROM tests_deep
    {where} ORDER BY {order} LIMIT 101"""
UNION: Final = "SELECT * FROM ({select}) AS part{n}"

#: By vendor, what is worth a try; the rest takes seconds at depth.
WORTH: Final = {
    "postgresql": {"plain", "row value", "union", "in turn"},
    "sqlite": {"plain", "row value", "union", "in turn"},
    "mysql": {"plain", "or", "or + bound", "union", "in turn", "arm"},
}
ORDERS: Final = {
    "A": "created, id",
    "B": "cat, created DESC, id",
    "C": "score, id",
    "D": "cat, id",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with its parameters."""

    sql: str
    parameters: Sequence[Any] = ()


def forms(name: str, row: Any) -> dict[str, list[Statement]]:
    """Give the forms of the page behind a row, or of the first one.

    Each is one statement, or several in turn until the page is full.
    """
    worth = WORTH[connection.vendor]
    found = dict(_forms(name, row, nulls_last=True))
    return {form: found[form] for form in found if form in worth}


def all_forms(name: str, row: Any, depth: int) -> dict[str, list[Statement]]:
    """Give also those that are slow, with NULLs where the database has them."""
    offset = _select("", ORDERS[name], [])
    skipping = Statement(f"{offset.sql} OFFSET {depth}")
    return {"OFFSET": [skipping], **dict(_forms(name, row, nulls_last=_largest()))}


def _forms(
    name: str, row: Any, *, nulls_last: bool
) -> Iterator[tuple[str, list[Statement]]]:
    order = ORDERS[name]
    branches = _branches(name, row, nulls_last=nulls_last)
    if not branches:
        yield "plain", [_select("", order, [])]
        return
    if len(branches) == 1:
        yield "plain", [_select(*_where(branches[0], order))]
    else:
        selects = [_select(*_where(branch, order)) for branch in branches]
        yield "in turn", selects
        yield "union", [_union(selects)]
    either = " OR ".join(f"({condition})" for condition, _ in branches)
    values = [value for _, given in branches for value in given]
    if name == "C" and nulls_last != _largest():
        yield from _arm(row, order)
        return
    yield "or", [_select(f"WHERE {either}", order, values)]
    if name == "C":
        return
    first = order.split(",")[0]
    bound = f"WHERE {first} >= %s AND ({either})"
    yield "or + bound", [_select(bound, order, [branches[-1][1][0], *values])]
    if name != "B":
        row_value = f"WHERE ({order}) > (%s, %s)"
        yield "row value", [_select(row_value, order, branches[0][1])]


def _branches(name: str, row: Any, *, nulls_last: bool) -> list[tuple[str, list[Any]]]:
    """Give the ranges of the index behind a row, the nearest first."""
    if row is None:
        return [("score IS NOT NULL", []), ("score IS NULL", [])] if name == "C" else []
    created = connection.ops.adapt_datetimefield_value(row.created)
    if name == "A":
        tie = ("created = %s AND id > %s", [created, row.id])
        return [tie, ("created > %s", [created])]
    if name == "B":
        tie = ("cat = %s AND created = %s AND id > %s", [row.cat, created, row.id])
        group = ("cat = %s AND created < %s", [row.cat, created])
        return [tie, group, ("cat > %s", [row.cat])]
    if name == "D":
        tie = ("cat = %s AND id > %s", [row.cat, row.id])
        return [tie, ("cat > %s", [row.cat])]
    if row.score is None:
        others = [] if nulls_last else [("score IS NOT NULL", list[Any]())]
        return [("score IS NULL AND id > %s", [row.id]), *others]
    tie = ("score = %s AND id > %s", [row.score, row.id])
    nulls = [("score IS NULL", list[Any]())] if nulls_last else []
    return [tie, ("score > %s", [row.score]), *nulls]


def _largest() -> bool:
    """Tell whether the database takes NULL for the largest value."""
    return connection.vendor == "postgresql"


def _arm(row: Any, order: str) -> Iterator[tuple[str, list[Statement]]]:
    """Give what keeps MariaDB off the beginning of the NULLs, and off two ranges."""
    if row is None:
        return
    if row.score is None:
        condition = """WHERE (score IS NULL AND id > %s)
            OR (score IS NOT NULL AND id < %s AND id > %s)"""
        yield "arm", [_select(condition, order, [row.id] * 3)]
    else:
        condition = "WHERE score > %s OR (score = %s AND id > %s)"
        rest = _select("WHERE score IS NULL", "id", [])
        values = [row.score, row.score, row.id]
        yield "arm", [_select(condition, order, values), rest]


def _where(branch: tuple[str, list[Any]], order: str) -> tuple[str, str, list[Any]]:
    condition, values = branch
    # MariaDB would not see the index.
    bare = connection.vendor == "mysql" and condition == "score IS NULL"
    return f"WHERE {condition}", "id" if bare else order, values


def _select(where: str, order: str, values: Sequence[Any]) -> Statement:
    sql = SELECT.replace("{where}", where).replace("{order}", order)
    return Statement(sql, values)


def _union(selects: Sequence[Statement]) -> Statement:
    parts = [
        UNION.replace("{select}", select.sql).replace("{n}", str(n))
        for n, select in enumerate(selects)
    ]
    sql = " UNION ALL ".join(parts) + " LIMIT 101"
    return Statement(sql, [value for select in selects for value in select.parameters])
