"""Accounts hold money in minor units; transfers move it between two of them."""

from typing import ClassVar, Self

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from drf_apikit.models import VersionedManager, VersionedModel, VersionedQuerySet

__all__ = ["MAX_AMOUNT", "Account", "AccountQuerySet", "Transfer", "TransferQuerySet"]

# The largest integer that every JSON reader keeps exact (RFC 8259 section 6).
MAX_AMOUNT = 2**53 - 1

CURRENCY = RegexValidator(r"\A[A-Z]{3}\Z", "Use three capital letters, as in EUR.")


class AccountQuerySet(VersionedQuerySet["Account"]):
    """Accounts, cut down to what a caller may see."""

    def visible_to(self, user: object) -> Self:
        """Return all for staff, the own ones for a customer, else none."""
        if getattr(user, "is_staff", False):
            return self.all()
        # Machine clients and strangers are no users, whatever they have for a key.
        is_user = isinstance(user, get_user_model())
        return self.filter(owner=user) if is_user else self.none()


class TransferQuerySet(models.QuerySet["Transfer"]):
    """Transfers, cut down to what a caller may see."""

    def visible_to(self, user: object) -> Self:
        """Return all for staff, for a customer those that touch an own account."""
        if getattr(user, "is_staff", False):
            return self.all()
        own = Account.objects.visible_to(user).values_list("pk", flat=True)
        # The few ids themselves, not a subquery: PostgreSQL then reads the two
        # account indexes instead of the whole table.
        return self.touching(list(own))

    def touching(self, accounts: list[int]) -> Self:
        """Return the transfers from or to one of these accounts."""
        return self.filter(Q(source__in=accounts) | Q(target__in=accounts))


class Account(VersionedModel):
    """Money of one owner in one currency; only a transfer changes the balance.

    Whoever writes it, by `save()` or `update()`, moves its `version` by one.
    """

    class Status(models.TextChoices):
        """What may happen to the money."""

        ACTIVE = "active"
        FROZEN = "frozen"
        CLOSED = "closed"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="accounts"
    )
    name = models.CharField(max_length=80)
    currency = models.CharField(max_length=3, validators=[CURRENCY])
    balance = models.BigIntegerField(
        default=0, help_text="In minor units: 1050 is 10.50 euros."
    )
    status = models.CharField(
        max_length=8, choices=Status.choices, default=Status.ACTIVE
    )
    created = models.DateTimeField(default=timezone.now)

    objects: ClassVar = VersionedManager.from_queryset(AccountQuerySet)()

    class Meta:
        """No balance below zero, whatever the code does."""

        constraints = [
            models.CheckConstraint(
                condition=Q(balance__gte=0, balance__lte=MAX_AMOUNT),
                name="ledger_account_balance_range",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.currency})"


class Transfer(models.Model):
    """An amount on its way from one account to another."""

    class Status(models.TextChoices):
        """Where the money is: still at the source, at the target, or back."""

        PENDING = "pending"
        SETTLED = "settled"
        REFUNDED = "refunded"

    # The composite indexes below begin with these columns.
    source = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="outgoing", db_index=False
    )
    target = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="incoming", db_index=False
    )
    amount = models.BigIntegerField(help_text="In minor units.")
    currency = models.CharField(max_length=3, validators=[CURRENCY])
    reference = models.CharField(max_length=140, blank=True, default="")
    status = models.CharField(
        max_length=8, choices=Status.choices, default=Status.SETTLED
    )
    created = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True, blank=True)
    refund_of = models.OneToOneField(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="refund",
        help_text="The transfer whose money this one returns.",
    )

    objects = TransferQuerySet.as_manager()

    class Meta:
        """Indexes as the orderings and the two account columns need them."""

        indexes = [
            models.Index(fields=["created", "id"], name="ledger_transfer_created"),
            models.Index(fields=["amount", "id"], name="ledger_transfer_amount"),
            models.Index(fields=["settled_at", "id"], name="ledger_transfer_settled"),
            models.Index(
                fields=["source", "created", "id"], name="ledger_transfer_source"
            ),
            models.Index(
                fields=["target", "created", "id"], name="ledger_transfer_target"
            ),
            models.Index(
                fields=["status", "created", "id"], name="ledger_transfer_status"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount__lte=MAX_AMOUNT),
                name="ledger_transfer_amount_range",
            ),
            models.CheckConstraint(
                condition=~Q(source=F("target")), name="ledger_transfer_two_accounts"
            ),
            models.CheckConstraint(
                condition=Q(status="pending", settled_at__isnull=True)
                | Q(~Q(status="pending"), settled_at__isnull=False),
                name="ledger_transfer_settled_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} {self.source_id} -> {self.target_id}"
