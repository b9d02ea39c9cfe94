"""How many rows there are."""

from typing import Any

from django.db.models import QuerySet

__all__ = ["count_rows"]


def count_rows(queryset: QuerySet[Any]) -> int:
    """Count exactly, without the ordering."""
    return queryset.order_by().count()
