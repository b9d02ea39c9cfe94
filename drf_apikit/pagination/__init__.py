"""Pagination: a true keyset behind DRF's cursor interface, with totals and links.

On a view set, or for all of them in the settings:

    class TransferViewSet(ReadOnlyModelViewSet):
        pagination_class = CursorPagination
"""

from drf_apikit.pagination.cursor import CursorPagination
from drf_apikit.pagination.envelope import EnvelopePagination
from drf_apikit.pagination.offset import LimitOffsetPagination, PageNumberPagination

__all__ = [
    "CursorPagination",
    "EnvelopePagination",
    "LimitOffsetPagination",
    "PageNumberPagination",
]
