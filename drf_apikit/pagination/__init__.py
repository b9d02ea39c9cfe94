"""Pagination: a true keyset behind DRF's cursor interface, with totals.

class TransferViewSet(ReadOnlyModelViewSet):
    pagination_class = CursorPagination
"""

from drf_apikit.pagination.paginators import CursorPagination

__all__ = ["CursorPagination"]
