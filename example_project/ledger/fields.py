"""Serializer fields that take JSON literally: where money moves nothing is guessed."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from ledger.models import Account

__all__ = [
    "AccountField",
    "OwnAccountField",
    "StrictCharField",
    "StrictIntegerField",
    "StrictSerializer",
]


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer: no text, no 1.0, no boolean."""

    def to_internal_value(self, data: Any) -> int:
        """Return the number itself."""
        if type(data) is not int:
            self.fail("invalid")
        return data


class StrictCharField(serializers.CharField):
    """A JSON string: no number that happens to print well."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text, trimmed."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class AccountField(serializers.PrimaryKeyRelatedField[Account]):
    """Any account, by its id."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            queryset=Account.objects.all(), pk_field=StrictIntegerField(), **kwargs
        )


class OwnAccountField(AccountField):
    """An account that the caller may see; any other does not exist for it."""

    def get_queryset(self) -> QuerySet[Account]:
        """Return what the caller may see."""
        return Account.objects.visible_to(self.context["request"].user)


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses members that it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse before anything is read: a misspelt member is a wrong order."""
        if isinstance(data, Mapping):
            unknown = sorted(map(str, data.keys() - self.fields.keys()))
            if unknown:
                error = serializers.ErrorDetail("Unknown member.", code="unknown")
                raise serializers.ValidationError({name: [error] for name in unknown})
        return super().to_internal_value(data)
