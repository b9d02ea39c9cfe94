"""Every movement of money: two conditional updates and one insert, or nothing.

The conditions stand in the `WHERE` clauses, so that no decision rests on a balance
read earlier. Rows are updated in the order of their ids: two opposite transfers
wait for each other and cannot deadlock.
"""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, ProtectedError
from django.utils import timezone

from ledger.models import MAX_AMOUNT, Account, Transfer
from ledger.problem_types import (
    AccountClosed,
    AccountFrozen,
    AccountInUse,
    AlreadyRefunded,
    BalanceLimit,
    CurrencyMismatch,
    InsufficientFunds,
    NotRefundable,
    SameAccount,
)

__all__ = ["Order", "delete_account", "refund", "transfer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An amount in minor units to move from one account (by id) to another."""

    source: int
    target: int
    amount: int
    currency: str
    reference: str = ""


def transfer(order: Order) -> Transfer:
    """Move the money at once; raise the problem that stands against it."""
    if order.source == order.target:
        raise SameAccount(
            "Source and target are the same account.", account=order.source
        )
    return _settle(order, refund_of=None)


def refund(original: Transfer) -> Transfer:
    """Send the money of a settled transfer back, at most once."""
    order = Order(
        source=original.target_id,
        target=original.source_id,
        amount=original.amount,
        currency=original.currency,
        reference=original.reference,
    )
    returned = _settle(order, refund_of=original)
    original.status = Transfer.Status.REFUNDED
    return returned


def delete_account(account: Account) -> None:
    """Delete an account that holds no money and has no history."""
    with transaction.atomic():
        # A transfer of this moment holds the row: wait, then see what it left.
        locked = Account.objects.select_for_update().filter(pk=account.pk).first()
        if locked is None:
            return
        if locked.balance:
            raise AccountInUse("The account still holds money.")
        try:
            locked.delete()
        except ProtectedError as error:
            raise AccountInUse("The account has transfers.") from error


class _RefusedError(Exception):
    """One of the conditional updates met no row."""


def _settle(order: Order, refund_of: Transfer | None) -> Transfer:
    try:
        with transaction.atomic():
            return _move(order, refund_of)
    except _RefusedError:
        pass
    with transaction.atomic():
        _diagnose(order)
        # What stood against it was gone by then, and the rows are ours now.
        return _move(order, refund_of)


def _move(order: Order, refund_of: Transfer | None) -> Transfer:
    if refund_of is not None:
        _claim_refund(refund_of)
    steps = {order.source: _debit, order.target: _credit}
    for account in sorted(steps):
        if not steps[account](order):
            raise _RefusedError
    now = timezone.now()
    return Transfer.objects.create(
        source_id=order.source,
        target_id=order.target,
        amount=order.amount,
        currency=order.currency,
        reference=order.reference,
        status=Transfer.Status.SETTLED,
        created=now,
        settled_at=now,
        refund_of=refund_of,
    )


def _debit(order: Order) -> int:
    return Account.objects.filter(
        pk=order.source,
        status=Account.Status.ACTIVE,
        currency=order.currency,
        balance__gte=order.amount,
    ).update(balance=F("balance") - order.amount)


def _credit(order: Order) -> int:
    return Account.objects.filter(
        pk=order.target,
        status=Account.Status.ACTIVE,
        currency=order.currency,
        balance__lte=MAX_AMOUNT - order.amount,
    ).update(balance=F("balance") + order.amount)


def _claim_refund(original: Transfer) -> None:
    claimed = Transfer.objects.filter(
        pk=original.pk, status=Transfer.Status.SETTLED, refund_of=None
    ).update(status=Transfer.Status.REFUNDED)
    if claimed:
        return
    original.refresh_from_db(fields=["status"])
    if original.status == Transfer.Status.REFUNDED:
        raise AlreadyRefunded("The transfer was refunded before.")
    raise NotRefundable("Only a settled transfer that is no refund can be refunded.")


def _diagnose(order: Order) -> None:
    """Raise what stands against the order; return with both rows locked if nothing."""
    rows = Account.objects.select_for_update().order_by("pk")
    found = rows.in_bulk([order.source, order.target])
    for pk in (order.source, order.target):
        _check_account(pk, found.get(pk), order.currency)
    balance = found[order.source].balance
    if balance < order.amount:
        raise InsufficientFunds(
            f"The account holds {balance}, the transfer needs {order.amount}.",
            balance=balance,
            required=order.amount,
        )
    if found[order.target].balance > MAX_AMOUNT - order.amount:
        raise BalanceLimit(
            "The target account cannot hold that much.", account=order.target
        )


def _check_account(pk: int, account: Account | None, currency: str) -> None:
    if account is None or account.status == Account.Status.CLOSED:
        raise AccountClosed(f"Account {pk} is closed.", account=pk)
    if account.status == Account.Status.FROZEN:
        raise AccountFrozen(f"Account {pk} is frozen.", account=pk)
    if account.currency != currency:
        raise CurrencyMismatch(
            f"Account {pk} holds {account.currency}, the transfer is in {currency}.",
            account=pk,
            currency=account.currency,
            required=currency,
        )
