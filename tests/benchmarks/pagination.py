"""A page of 100 rows at any depth: ours, our peers', and the best raw SQL.

    python -m tests.benchmarks.pagination --database postgresql --rows 5000000

Orderings: A created, id; B cat, -created, id; C score NULLS LAST, id; D cat, id,
all with their index. Times are the least of all rounds, in microseconds; work is
what the database counts (tests/work.py). A dash: the peer cannot get there.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from typing import Any, Final

from django.db import connection
from django.db.models import F, QuerySet
from rest_framework import pagination
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.serializers import ModelSerializer
from rest_framework.test import APIRequestFactory

from drf_apikit.keyset import (
    Cursor,
    Ordering,
    count_rows,
    ordered,
    read_slice,
    resolve_ordering,
)
from drf_apikit.pagination import CursorPagination
from tests.benchmarks.best_sql import Statement, forms
from tests.benchmarks.harness import (
    options,
    respond,
    throw_away_database,
    time_cases,
)
from tests.deep import Deep, deep_table, fill
from tests.work import count_work

SIZE: Final = 100
FACTORY: Final = APIRequestFactory()
# It ships no types.
PEER: Final[Any] = import_module("cursor_pagination")
DEEP: Final[QuerySet[Deep]] = Deep.objects.all()
ORDERINGS: Final[dict[str, tuple[Any, ...]]] = {
    "A": ("created", "id"),
    "B": ("cat", "-created", "id"),
    "C": (F("score").asc(nulls_last=True), "id"),
    "D": ("cat", "id"),
}
NAMES: Final = {
    "A": ("created", "id"),
    "B": ("cat", "-created", "id"),
    "C": ("score", "id"),
    "D": ("cat", "id"),
}
#: Seconds after which a slow case is not asked again.
SECONDS: Final = 2.0
GOALS: Final = {
    "our SQL": ("best SQL", "at most 1.5"),
    "read_slice": ("best raw()", "at most 1.5"),
    "our view": ("unpaginated view", "at most 1.05"),
}
COUNT_GOALS: Final = {
    "carried": ("none", ""),
    "bounded": ("none", ""),
    "bounded count": ("page", "at most 3"),
    "exact count": ("page", ""),
}


class DeepSerializer(ModelSerializer[Deep]):
    class Meta:
        model = Deep
        fields = ("id", "created", "score", "cat", "name", "body")


class View(ListAPIView[Deep]):
    authentication_classes = ()
    permission_classes = ()
    filter_backends = ()
    serializer_class = DeepSerializer
    pagination_class: Any = None
    queryset = DEEP


class DrfOffset(pagination.LimitOffsetPagination):
    default_limit = SIZE


def ours(name: str, count: str = "none") -> type[CursorPagination]:
    own = {"ordering": ORDERINGS[name], "page_size": SIZE, "count_strategy": count}
    return type("Ours", (CursorPagination,), own)


def get(url: str, **attributes: Any) -> Callable[[], Any]:
    view = View.as_view(**attributes)
    return lambda: respond(view, FACTORY.get(url))


def link(paginator: Any, cursor: Any) -> str:
    """Give the URL of the page that a cursor describes."""
    paginator.paginate_queryset(DEEP.order_by("id"), Request(FACTORY.get("/")), None)
    return str(paginator.encode_cursor(cursor))


def fetch(statements: Iterable[Statement]) -> list[Any]:
    """Run statements in turn until the page is full."""
    rows: list[Any] = []
    for statement in statements:
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, statement.parameters)
            rows += cursor.fetchall()
        if len(rows) > SIZE:
            break
    return rows[: SIZE + 1]


def fetch_objects(statements: Iterable[Statement]) -> list[Deep]:
    """Do the same for objects of the model."""
    rows: list[Deep] = []
    for statement in statements:
        rows += Deep.objects.raw(statement.sql, statement.parameters)
        if len(rows) > SIZE:
            break
    return rows[: SIZE + 1]


def statements_of(call: Callable[[], object]) -> list[Statement]:
    """Give what a call sends to the database."""
    found: list[Statement] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        found.append(Statement(sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        call()
    return found


def best(name: str, row: Any) -> tuple[str, list[Statement]]:
    """Give the fastest of the raw forms; all have to find the same rows."""
    known = forms(name, row)
    times = time_cases(
        {form: partial(fetch, known[form]) for form in known}, 9, seconds=SECONDS
    )
    keys = {form: [found[0] for found in fetch(known[form])] for form in known}
    form = min(known, key=lambda form: min(times[form]))
    assert all(keys[form] == keys[other] for other in keys), keys
    return form, known[form]


class Depth:
    """One ordering behind one row, or at the beginning."""

    def __init__(self, name: str, row: Any, depth: int) -> None:
        self.name, self.row, self.depth = name, row, depth
        self.ordering: Ordering = resolve_ordering(DEEP, ORDERINGS[name])
        self.position = None if row is None else self.ordering.values_of(row)
        self.form, self.best = best(name, row)

    def read(self) -> Any:
        return read_slice(DEEP, self.ordering, SIZE, self.position)

    def cases(self) -> dict[str, Callable[[], object]]:
        own = statements_of(self.read)
        assert [r[0] for r in fetch(own)] == [r[0] for r in fetch(self.best)]
        paginator = ours(self.name)
        url = link(paginator(), Cursor(self.position)) if self.row else "/"
        cases: dict[str, Callable[[], object]] = {
            "best SQL": partial(fetch, self.best),
            "our SQL": partial(fetch, own),
            "best raw()": partial(fetch_objects, self.best),
            "read_slice": self.read,
            "unpaginated view": get("/", queryset=DEEP.order_by("id")[:SIZE]),
            "our view": get(url, pagination_class=paginator),
            "DRF LimitOffset view": get(
                f"/?offset={self.depth}",
                pagination_class=DrfOffset,
                queryset=DEEP.order_by(*ORDERINGS[self.name]),
            ),
            "django-cursor-pagination": self.peer(),
        }
        return cases | self.drf()

    def peer(self) -> Callable[[], object]:
        peer = PEER.CursorPaginator(DEEP, NAMES[self.name])
        after = peer.cursor(self.row) if self.row else None
        return lambda: peer.page(first=SIZE, after=after)

    def drf(self) -> dict[str, Callable[[], object]]:
        """Give DRF's own class, where the first column alone gets there."""
        values = {"A": "created", "C": "score"}
        value = getattr(self.row, values.get(self.name, ""), None)
        if self.name not in values or (self.row and value is None):
            return {}
        own = {"ordering": NAMES[self.name], "page_size": SIZE}
        paginator = type("Drf", (pagination.CursorPagination,), own)
        begin: Any = str(value)
        url = link(paginator(), pagination.Cursor(0, False, begin)) if self.row else "/"
        return {"DRF Cursor view": get(url, pagination_class=paginator)}


def depths_of(rows: int) -> list[int]:
    deepest = rows - 10 * SIZE
    return [depth for depth in (0, 10_000, 1_000_000) if depth < deepest] + [deepest]


def orderings(rows: int, rounds: int) -> None:
    for name in ORDERINGS:
        ordering = resolve_ordering(DEEP, ORDERINGS[name])
        whole = ordered(DEEP, ordering)
        second = count_work(Depth(name, whole[SIZE - 1], SIZE).read)[0]
        columns: dict[str, dict[str, str]] = {}
        for depth in depths_of(rows):
            place = Depth(name, whole[depth - 1] if depth else None, depth)
            times = time_cases(place.cases(), rounds, seconds=SECONDS)
            work = count_work(place.read)[0]
            columns[f"{depth:,}"] = {
                **in_numbers(times, GOALS),
                "best form": place.form,
                "work": str(work),
                "work / page two": f"{work / second:.2f}",
            }
        title = f"{name}: {', '.join(NAMES[name])}; at most 1.1 of page two's {second}"
        print_table(title, columns)


def counts(rows: int, rounds: int) -> None:
    """Time the ways to count, with the page and alone."""
    exact, row = ours("A", "exact"), DEEP.order_by("id")[rows // 2]
    carried = get("/", pagination_class=exact)().data["next"]
    position = link(ours("A", "none")(), Cursor((row.created, row.pk)))
    group = DEEP.filter(cat=2)
    ordering = resolve_ordering(group, ("id",))
    half = group.order_by("id")[rows // 10].pk
    cases: dict[str, Callable[[], object]] = {
        strategy: get(position, pagination_class=ours("A", strategy))
        for strategy in ("none", "exact", "bounded", "estimated")
    }
    cases["carried"] = get(carried, pagination_class=exact)
    cases["page"] = lambda: read_slice(group, ordering, SIZE, (half,))
    for strategy in ("exact", "bounded", "estimated"):
        cases[f"{strategy} count"] = partial(count_rows, group, strategy)
    times = time_cases(cases, rounds, seconds=SECONDS)
    title = "Totals: the view with each, then each alone, beside a page, where cat = 2"
    print_table(title, {"µs": in_numbers(times, COUNT_GOALS)})


def in_numbers(
    times: Mapping[str, list[float]], goals: Mapping[str, tuple[str, str]]
) -> dict[str, str]:
    found = {name: f"{min(taken):,.0f}" for name, taken in times.items()}
    for case, (base, wanted) in goals.items():
        ratio = min(times[case]) / min(times[base])
        label = f"{case} / {base}" + (f" ({wanted})" if wanted else "")
        found[label] = f"{ratio:.2f}"
    return found


def print_table(title: str, columns: Mapping[str, Mapping[str, str]]) -> None:
    labels = {label: None for column in columns.values() for label in column}
    width = max(map(len, labels))
    print(f"\n{title}\n\n{'':{width}}" + "".join(f"{name:>13}" for name in columns))
    for label in labels:
        cells = [column.get(label, "-") for column in columns.values()]
        print(f"{label:{width}}" + "".join(f"{cell:>13}" for cell in cells), flush=True)


def main() -> None:
    chosen = options(__doc__, rows=(100_000, "rows of the table"))
    with throw_away_database(chosen.database), deep_table():
        fill(chosen.rows)
        name = connection.display_name
        print(f"{name}, {chosen.rows:,} rows, pages of {SIZE}, least µs")
        orderings(chosen.rows, chosen.rounds)
        counts(chosen.rows, chosen.rounds)


if __name__ == "__main__":
    main()
