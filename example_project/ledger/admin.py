"""The books in the admin site, to read: money moves through the services alone."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from ledger.models import Account, Transfer

__all__ = ["AccountAdmin", "TransferAdmin"]


if TYPE_CHECKING:
    # Generic in the stubs alone.
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Shows rows and changes none."""

    show_full_result_count = False

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Refuse: an account with money is not made of nothing."""
        return False

    def has_change_permission(
        self, _request: HttpRequest, _obj: Model | None = None
    ) -> bool:
        """Refuse: a form would write back a balance that has moved since."""
        return False

    def has_delete_permission(
        self, _request: HttpRequest, _obj: Model | None = None
    ) -> bool:
        """Refuse: history stays."""
        return False


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """Accounts with their owners and balances."""

    list_display = ("id", "name", "owner", "currency", "balance", "status")
    list_filter = ("status", "currency")
    list_select_related = ("owner",)
    search_fields = ("name",)


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin):
    """Transfers, newest first."""

    list_display = ("id", "source", "target", "amount", "currency", "status", "created")
    list_filter = ("status", "currency")
    list_select_related = ("source", "target")
    ordering = ("-created", "-id")
    search_fields = ("reference",)
