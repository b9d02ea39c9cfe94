"""A page of 100 transfers: ours, DRF's, and the same view without a paginator."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet
from rest_framework import pagination
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from drf_apikit.keyset import Cursor, count_rows, seek
from drf_apikit.pagination import CursorPagination
from ledger.models import Transfer
from ledger.seeding import Books, write_books
from ledger.serializers import TransferSerializer
from tests.benchmarks.harness import (
    Goal,
    measure,
    options,
    respond,
    throw_away_database,
)

SIZE = 100
FACTORY = APIRequestFactory()
TRANSFERS: QuerySet[Transfer] = Transfer.objects.order_by("-created", "-id")
BEST_SQL = """SELECT * FROM ledger_transfer WHERE (created, id) < (%s, %s)
    ORDER BY created DESC, id DESC LIMIT 101"""
BEST_ON_MARIADB = """SELECT * FROM ledger_transfer
    WHERE created < %s OR (created = %s AND id < %s)
    ORDER BY created DESC, id DESC LIMIT 101"""


class Ours(CursorPagination):
    page_size = SIZE
    ordering = "-created"


class DrfCursor(pagination.CursorPagination):
    page_size = SIZE
    ordering = "-created"


class DrfOffset(pagination.LimitOffsetPagination):
    default_limit = SIZE


class Unpaginated(ListAPIView[Transfer]):
    authentication_classes = ()
    permission_classes = ()
    serializer_class = TransferSerializer
    pagination_class = None
    queryset = TRANSFERS[:SIZE]


class Paginated(Unpaginated):
    queryset = TRANSFERS.all()


def page(paginator: type[Any], url: str) -> Callable[[], object]:
    view = Paginated.as_view(pagination_class=paginator)
    return lambda: respond(view, FACTORY.get(url))


def link(paginator: Any, cursor: Any) -> str:
    """Give the URL of the page behind a position."""
    paginator.paginate_queryset(TRANSFERS.all(), Request(FACTORY.get("/")), None)
    return str(paginator.encode_cursor(cursor))


def at(depth: int, rounds: int) -> None:
    row, ours = TRANSFERS[depth], Ours()
    position = (row.created, row.pk)
    url = link(ours, Cursor(position))
    sql, own = seek(TRANSFERS, ours.terms, position)[: SIZE + 1].query.sql_with_params()
    date = connection.ops.adapt_datetimefield_value(row.created)
    best, values = BEST_SQL, [date, row.pk]
    if connection.vendor == "mysql":
        best, values = BEST_ON_MARIADB, [date, date, row.pk]
    begin: Any = str(row.created)
    drf = link(DrfCursor(), pagination.Cursor(0, False, begin))
    cases: dict[str, Callable[[], object]] = {
        "ours": page(Ours, url),
        "DRF cursor": page(DrfCursor, drf),
        "DRF offset": page(DrfOffset, f"/?offset={depth}"),
        "unpaginated": lambda: respond(Unpaginated.as_view(), FACTORY.get("/")),
        "our count alone": lambda: count_rows(TRANSFERS),
        "our SQL": lambda: fetch(sql, own),
        "best SQL": lambda: fetch(best, values),
    }
    goals = [
        Goal("ours", "unpaginated", "at most 1.05 (count included here)"),
        Goal("our SQL", "best SQL", "at most 1.5"),
        Goal("ours", "DRF cursor"),
        Goal("ours", "DRF offset"),
        Goal("our count alone", "ours"),
    ]
    measure(f"{connection.display_name}, behind row {depth}", cases, goals, rounds)


def fetch(sql: str, values: Any) -> object:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def main() -> None:
    chosen = options(__doc__, rows=(100_000, "transfers in the table"))
    with throw_away_database(chosen.database):
        users = User.objects.bulk_create(User(username=f"{n}") for n in range(250))
        write_books(Books(chosen.rows), [user.pk for user in users], lambda _: None)
        for depth in (0, chosen.rows // 2, chosen.rows * 9 // 10):
            at(depth, chosen.rounds)


if __name__ == "__main__":
    main()
