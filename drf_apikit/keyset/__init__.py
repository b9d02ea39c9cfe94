"""Keyset pagination for Django querysets: ordering, predicate, cursors.

Nothing here knows Django REST framework.
"""

from drf_apikit.keyset.counting import count_rows
from drf_apikit.keyset.cursors import Cursor, CursorError, decode, encode
from drf_apikit.keyset.ordering import Ordering, Term, resolve_ordering
from drf_apikit.keyset.planner import seek

__all__ = [
    "Cursor",
    "CursorError",
    "Ordering",
    "Term",
    "count_rows",
    "decode",
    "encode",
    "resolve_ordering",
    "seek",
]
