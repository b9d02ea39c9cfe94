"""The forms of a page: what each costs on this database, and what the engine does.

    python -m tests.benchmarks.planner --database postgresql --rows 1000000

Orderings: A created, id; B cat, -created, id; C score, id, a tenth of it NULL and
where the database has it; D cat, id. Work is what the database counts
(tests/work.py), times are the least of all rounds. The forms: OFFSET; a comparison
of rows; OR; OR with a bound on the first column; the disjoint ranges of these, in
one UNION or one after another; `ours` is the SQL of the engine, as in a walk and
without the hint that a walk carries. In the end, what a filter of the caller's costs.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from django.db import connection
from django.db.models import Index, QuerySet

from drf_apikit.keyset import Slice, ordered, read_slice, resolve_ordering
from tests.benchmarks.best_sql import all_forms
from tests.benchmarks.harness import options, throw_away_database, time_cases
from tests.benchmarks.pagination import (
    DEEP,
    NAMES,
    SECONDS,
    SIZE,
    fetch,
    print_table,
    statements_of,
)
from tests.deep import ANALYZE, Deep, deep_table, fill
from tests.work import count_work

LABELS: Final = {
    "or": "OR",
    "or + bound": "OR, with a bound",
    "union": "ranges in a UNION",
    "in turn": "ranges in turn",
    "plain": "ranges in turn",
}
FILTERED: Final = ("cat", "created", "id")


class Place:
    """The page behind so many rows, as a walk comes to it."""

    def __init__(self, queryset: QuerySet[Any], names: Any, depth: int) -> None:
        self.queryset, self.depth = queryset, depth
        self.ordering = resolve_ordering(queryset, names)
        start = depth - SIZE
        whole = ordered(queryset, self.ordering)
        position = self.ordering.values_of(whole[start - 1]) if start else None
        self.before: Slice = read_slice(queryset, self.ordering, SIZE, position)

    def read(self, *, few_ties: bool) -> Slice:
        position = self.before.end
        return read_slice(
            self.queryset, self.ordering, SIZE, position, few_ties=few_ties
        )

    def ours(self) -> dict[str, Callable[[], list[Any]]]:
        """Give the engine's ways; the hint of the page before changes some."""
        hints = {"ours": self.before.few_ties, "ours, no hint": False}
        return {
            form: partial(keys, statements_of(partial(self.read, few_ties=hint)))
            for form, hint in hints.items()
        }


def cases(name: str, place: Place) -> dict[str, Callable[[], list[Any]]]:
    known = all_forms(name, place.before.rows[-1], place.depth)
    raw = {LABELS.get(form, form): partial(keys, known[form]) for form in known}
    return raw | place.ours()


def keys(statements: Any) -> list[Any]:
    return [row[0] for row in fetch(statements)][:SIZE]


def show(
    title: str, places: dict[str, dict[str, Callable[[], list[Any]]]], rounds: int
) -> None:
    """Print the work and the least time of each case at each depth."""
    columns: dict[str, dict[str, str]] = {}
    for depth, calls in places.items():
        work, expected = {}, calls["ours"]()
        for form, call in calls.items():
            work[form], found = count_work(call)
            assert found == expected, (title, depth, form)
        times = time_cases(calls, rounds, seconds=SECONDS)
        columns[depth] = {form: f"{count:,}" for form, count in work.items()}
        columns[f"{depth} ms"] = {
            form: f"{min(taken) / 1000:,.2f}" for form, taken in times.items()
        }
    print_table(title, columns)


def depths_of(rows: int) -> dict[str, int]:
    return {"page two": SIZE, "half": rows // 2, "deep": rows - 3 * SIZE}


def filtered(rows: int, rounds: int) -> None:
    """Show a list of one group, which the only index has in one piece.

    With others, MariaDB rather takes one that passes over all other groups.
    """
    with connection.schema_editor() as editor:
        for index in Deep._meta.indexes:
            editor.remove_index(Deep, index)
        editor.add_index(Deep, Index(fields=FILTERED, name="deep_filtered"))
    with connection.cursor() as cursor:
        cursor.execute(ANALYZE[connection.vendor])
    group = DEEP.filter(cat=2)
    for names in (("created", "id"), ("-created", "-id")):
        places = {
            depth: Place(group, names, behind).ours()
            for depth, behind in depths_of(rows // 5).items()
        }
        show(f"where cat = 2: {', '.join(names)}", places, rounds)


def main() -> None:
    chosen = options(__doc__, rows=(100_000, "rows of the table"))
    with throw_away_database(chosen.database), deep_table():
        fill(chosen.rows)
        name = connection.display_name
        print(f"{name}, {chosen.rows:,} rows, pages of {SIZE}: work, and least ms")
        for ordering in NAMES:
            places = {
                depth: cases(ordering, Place(DEEP, NAMES[ordering], behind))
                for depth, behind in depths_of(chosen.rows).items()
            }
            show(f"{ordering}: {', '.join(NAMES[ordering])}", places, chosen.rounds)
        filtered(chosen.rows, chosen.rounds)


if __name__ == "__main__":
    main()
