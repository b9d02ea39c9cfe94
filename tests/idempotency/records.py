"""Records as a first run leaves them."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from drf_apikit.models import IdempotencyRecord

__all__ = ["new_record"]


def new_record(
    scope: str = "a" * 64, life: timedelta = timedelta(days=1), **columns: Any
) -> IdempotencyRecord:
    """Give a record that is not saved; `columns` are further ones, or other values."""
    now = timezone.now()
    usual: dict[str, Any] = {
        "principal": "d" * 64,
        "fingerprint": "b" * 64,
        "format_version": 1,
        "method": "POST",
        "route": "transfers/",
        "status_code": 201,
        "has_body": False,
        "created_at": now,
        "expires_at": now + life,
    }
    return IdempotencyRecord(scope=scope, **{**usual, **columns})
