"""Pagination: a true keyset behind DRF's cursor interface, with totals.

On a view set, or for all of them in the settings:

    class TransferViewSet(ReadOnlyModelViewSet):
        pagination_class = CursorPagination
"""

from drf_apikit.pagination.paginators import CursorPagination

__all__ = ["CursorPagination"]
