"""Filters of the transfer list: what cannot be understood is refused with 400."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django_filters.fields import IsoDateTimeField
from rest_framework import filters
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from ledger.models import MAX_AMOUNT, Transfer, TransferQuerySet

__all__ = ["ReferenceSearchFilter", "StrictOrderingFilter", "TransferFilter"]

MAX_SEARCH = 140
"""As long as a reference: a longer text cannot be inside one."""


class MomentField(IsoDateTimeField):
    """A moment that is still one in UTC: not the last hour of the year 9999."""

    def clean(self, value: Any) -> datetime | None:
        """Return the moment in UTC."""
        moment: datetime | None = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError:
            raise forms.ValidationError(self.error_messages["invalid"]) from None


class MomentFilter(django_filters.IsoDateTimeFilter):
    """A moment with its time zone."""

    field_class = MomentField


class IntegerFilter(django_filters.NumberFilter):
    """A whole number that a database column can hold."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=0, max_value=MAX_AMOUNT, **kwargs)

    def get_max_validator(self) -> None:
        """Leave the bound to the form field."""


class TransferFilter(django_filters.FilterSet):
    """`account`, `status`, and ranges of `created` and `amount` with both ends in."""

    account = IntegerFilter(method="by_account", label="Source or target, by id")
    status = django_filters.ChoiceFilter(choices=Transfer.Status.choices)
    created_after = MomentFilter("created", "gte")
    created_before = MomentFilter("created", "lte")
    amount_min = IntegerFilter("amount", "gte")
    amount_max = IntegerFilter("amount", "lte")

    class Meta:
        """All filters are declared above."""

        model = Transfer
        fields: list[str] = []

    def by_account(
        self, queryset: TransferQuerySet, _name: str, value: int
    ) -> TransferQuerySet:
        """Keep the transfers from or to the account."""
        return queryset.touching([value])


class ReferenceSearchFilter(filters.SearchFilter):
    """`search`: words that the reference contains."""

    def get_search_terms(self, request: Request) -> list[str]:
        """Return the words of a text of sensible length."""
        if len(request.query_params.get(self.search_param, "")) > MAX_SEARCH:
            raise ValidationError(
                {self.search_param: [f"At most {MAX_SEARCH} characters."]}
            )
        return list(super().get_search_terms(request))


class StrictOrderingFilter(filters.OrderingFilter):
    """`ordering`: refuses a field that is not offered instead of ignoring it."""

    def remove_invalid_fields(
        self,
        queryset: QuerySet[Any],
        fields: Iterable[str],
        view: APIView,
        request: Request,
    ) -> list[str]:
        """Return all fields, or raise."""
        fields = list(fields)
        valid = super().remove_invalid_fields(queryset, fields, view, request)
        if len(valid) != len(fields):
            raise ValidationError(
                {self.ordering_param: ["Not an ordering of this list."]}
            )
        return list(valid)
