"""The admin: identities to edit, idempotency records to read."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest

from drf_apikit.models import ExternalIdentity, IdempotencyRecord

__all__ = ["ExternalIdentityAdmin", "IdempotencyRecordAdmin"]

if TYPE_CHECKING:
    _IdentityAdmin = admin.ModelAdmin[ExternalIdentity]
    _RecordAdmin = admin.ModelAdmin[IdempotencyRecord]
else:
    _IdentityAdmin = _RecordAdmin = admin.ModelAdmin


@admin.register(ExternalIdentity)
class ExternalIdentityAdmin(_IdentityAdmin):
    """Who is whom at which issuer."""

    list_display = ("subject", "issuer", "user", "created_at")
    list_filter = ("issuer",)
    list_select_related = ("user",)
    search_fields = ("subject",)
    raw_id_fields = ("user",)


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(_RecordAdmin):
    """Read only; the stored body, which may hold anything, is not shown."""

    list_display = (
        "scope",
        "method",
        "route",
        "status_code",
        "created_at",
        "expires_at",
    )
    list_filter = ("method", "status_code")
    search_fields = ("scope",)
    exclude = ("answer",)

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Refuse: a record without its effects would be a lie."""
        return False

    def has_change_permission(
        self, _request: HttpRequest, _obj: IdempotencyRecord | None = None
    ) -> bool:
        """Refuse: what clients were told cannot be changed."""
        return False

    def has_delete_permission(
        self, _request: HttpRequest, _obj: IdempotencyRecord | None = None
    ) -> bool:
        """Refuse: a retry would run the effect again."""
        return False
