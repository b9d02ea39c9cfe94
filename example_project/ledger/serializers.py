"""What the API reads and writes as JSON."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied

from ledger.fields import (
    AccountField,
    OwnAccountField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
)
from ledger.models import CURRENCY, MAX_AMOUNT, Account, Transfer
from ledger.services import Order

__all__ = [
    "AccountSerializer",
    "OrderSerializer",
    "RefundSerializer",
    "TransferSerializer",
]


class AccountSerializer(StrictSerializer, serializers.ModelSerializer[Account]):
    """An account: the name is its owner's to change, the status the staff's.

    The other members may be sent back as they were read; they change nothing.
    """

    name = StrictCharField(max_length=80)

    class Meta:
        """Members in the order of the document."""

        model = Account
        fields = (
            "id",
            "owner",
            "name",
            "currency",
            "balance",
            "status",
            "version",
            "created",
        )
        read_only_fields = ("owner", "currency", "balance", "version", "created")

    def validate_status(self, status: str) -> str:
        """Let only the staff freeze, close and release."""
        if self.instance is None or status == self.instance.status:
            return status
        if not self.context["request"].user.is_staff:
            raise PermissionDenied("Only the staff changes the status of an account.")
        return status


class TransferSerializer(serializers.ModelSerializer[Transfer]):
    """A transfer as it stands in the books."""

    class Meta:
        """Members in the order of the document."""

        model = Transfer
        fields = (
            "id",
            "source",
            "target",
            "amount",
            "currency",
            "reference",
            "status",
            "created",
            "settled_at",
            "refund_of",
        )
        read_only_fields = fields


class OrderSerializer(StrictSerializer):
    """The order to move money, from `source` to `target`."""

    amount = StrictIntegerField(min_value=1, max_value=MAX_AMOUNT)
    currency = StrictCharField(max_length=3, validators=[CURRENCY])
    reference = StrictCharField(max_length=140, allow_blank=True, default="")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add the two ends; `source` cannot be declared, as every field has one."""
        ends = {"source": OwnAccountField(), "target": AccountField()}
        return {**ends, **super().get_fields()}

    def order(self) -> Order:
        """Return the validated order, accounts by their ids."""
        data = self.validated_data
        return Order(
            source=data["source"].pk,
            target=data["target"].pk,
            amount=data["amount"],
            currency=data["currency"],
            reference=data["reference"],
        )


class RefundSerializer(StrictSerializer):
    """A refund has nothing to say: the whole amount goes back."""
