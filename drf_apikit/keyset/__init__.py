"""Keyset pagination for Django querysets: ordering, planner, cursors, totals.

Nothing here knows Django REST framework. For batch jobs over whole tables:

    for row in keyset_iterator(Transfer.objects.all(), "-created"):
        ...
"""

from drf_apikit.keyset.counting import (
    STRATEGIES,
    Relation,
    Total,
    count_rows,
)
from drf_apikit.keyset.cursors import Cursor, CursorError, decode, encode
from drf_apikit.keyset.errors import OrderingError
from drf_apikit.keyset.items import items_of
from drf_apikit.keyset.ordering import Ordering, ordering_of, resolve_ordering
from drf_apikit.keyset.planner import ordered, plan
from drf_apikit.keyset.repetition import each_once
from drf_apikit.keyset.slices import Slice, keyset_iterator, read_slice
from drf_apikit.keyset.terms import Term

__all__ = [
    "STRATEGIES",
    "Cursor",
    "CursorError",
    "Ordering",
    "OrderingError",
    "Relation",
    "Slice",
    "Term",
    "Total",
    "count_rows",
    "decode",
    "each_once",
    "encode",
    "items_of",
    "keyset_iterator",
    "ordered",
    "ordering_of",
    "plan",
    "read_slice",
    "resolve_ordering",
]
