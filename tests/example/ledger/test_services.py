"""Money moves whole or not at all, on each database."""

import re
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from drf_apikit.problems import Problem
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
from ledger.services import Order, delete_account, refund, transfer
from tests.example.ledger.conftest import OpenAccount

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("database")]

THREADS = 8
OPENING = 1000


def test_money_moves_and_both_versions(alices: Account, bobs: Account) -> None:
    done = transfer(_order(alices, bobs, amount=300, reference="rent"))

    alices.refresh_from_db()
    bobs.refresh_from_db()
    assert (alices.balance, bobs.balance) == (700, 1300)
    assert (alices.version, bobs.version) == (2, 2)
    done.refresh_from_db()
    assert (done.source, done.target, done.amount) == (alices, bobs, 300)
    assert (done.currency, done.reference) == ("EUR", "rent")
    assert done.status == Transfer.Status.SETTLED
    assert done.settled_at == done.created


def test_a_transfer_is_two_updates_and_an_insert(
    alices: Account,
    bobs: Account,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    # And the savepoint, since the test has a transaction of its own.
    with django_assert_num_queries(5) as captured:
        transfer(_order(alices, bobs))
    verbs = [query["sql"].split()[0] for query in captured.captured_queries]
    assert verbs == ["SAVEPOINT", "UPDATE", "UPDATE", "INSERT", "RELEASE"]


@pytest.mark.parametrize("swapped", [False, True], ids=["upwards", "downwards"])
def test_rows_are_updated_in_the_order_of_their_ids(
    alices: Account,
    bobs: Account,
    swapped: bool,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    ends = (bobs, alices) if swapped else (alices, bobs)
    with django_assert_num_queries(5) as captured:
        transfer(_order(*ends, amount=7))
    first, second = (query["sql"] for query in captured.captured_queries[1:3])
    assert re.search(rf"id\W? = {min(alices.pk, bobs.pk)}\b", first)
    assert re.search(rf"id\W? = {max(alices.pk, bobs.pk)}\b", second)


@pytest.mark.parametrize(
    ("columns", "order", "problem", "members"),
    [
        pytest.param(
            {},
            {"amount": 1001},
            InsufficientFunds,
            {"balance": 1000, "required": 1001},
            id="insufficient-funds",
        ),
        pytest.param({"status": "frozen"}, {}, AccountFrozen, {}, id="frozen"),
        pytest.param({"status": "closed"}, {}, AccountClosed, {}, id="closed"),
        pytest.param(
            {"currency": "USD"},
            {},
            CurrencyMismatch,
            {"currency": "USD", "required": "EUR"},
            id="currency",
        ),
    ],
)
@pytest.mark.parametrize("end", ["source", "target"])
def test_refusals_say_why_and_change_nothing(
    open_account: OpenAccount,
    columns: dict[str, str],
    order: dict[str, Any],
    problem: type[Problem],
    members: dict[str, Any],
    end: str,
) -> None:
    source = open_account("alice", **(columns if end == "source" else {}))
    target = open_account("bob", **(columns if end == "target" else {}))
    before = _books()

    with pytest.raises(problem) as raised:
        transfer(_order(source, target, **order))

    at_fault = source if end == "source" else target
    if problem is not InsufficientFunds:
        members = {**members, "account": at_fault.pk}
    assert raised.value.extensions == members
    assert _books() == before


def test_one_account_cannot_pay_itself(alices: Account) -> None:
    with pytest.raises(SameAccount) as raised:
        transfer(_order(alices, alices))
    assert raised.value.extensions == {"account": alices.pk}


def test_a_balance_stays_exact_in_json(
    alices: Account, open_account: OpenAccount
) -> None:
    full = open_account("bob", MAX_AMOUNT - 99)
    with pytest.raises(BalanceLimit):
        transfer(_order(alices, full, amount=100))
    transfer(_order(alices, full, amount=99))
    full.refresh_from_db()
    assert full.balance == MAX_AMOUNT


def test_an_account_that_is_gone_counts_as_closed(
    alices: Account, open_account: OpenAccount
) -> None:
    gone = open_account("bob", 0)
    pk = gone.pk
    delete_account(gone)
    with pytest.raises(AccountClosed) as raised:
        transfer(Order(source=alices.pk, target=pk, amount=1, currency="EUR"))
    assert raised.value.extensions == {"account": pk}
    assert _total() == 1000


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"balance": -1}, id="below-zero"),
        pytest.param({"balance": MAX_AMOUNT + 1}, id="beyond-json"),
    ],
)
def test_the_database_itself_guards_the_balance(
    alices: Account, columns: dict[str, int]
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(pk=alices.pk).update(**columns)


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"amount": 0}, id="nothing"),
        pytest.param({"amount": -5}, id="backwards"),
        pytest.param({"settled_at": None}, id="settled-at-no-time"),
        pytest.param({"status": "pending"}, id="pending-though-settled"),
        pytest.param({"target": None}, id="to-itself"),
    ],
)
def test_the_database_itself_guards_transfers(
    alices: Account, bobs: Account, columns: dict[str, Any]
) -> None:
    values: dict[str, Any] = {"amount": 5, "settled_at": timezone.now(), "target": bobs}
    values |= columns
    with pytest.raises(IntegrityError), transaction.atomic():
        Transfer.objects.create(
            source=alices,
            currency="EUR",
            **{**values, "target": values["target"] or alices},
        )


def test_a_refund_sends_the_money_back(paid: Transfer) -> None:
    returned = refund(paid)

    assert {account.balance for account in Account.objects.all()} == {1000}
    assert paid.status == Transfer.Status.REFUNDED
    paid.refresh_from_db()
    assert paid.status == Transfer.Status.REFUNDED
    assert paid.refund == returned
    assert (returned.source, returned.target) == (paid.target, paid.source)
    assert (returned.amount, returned.status) == (100, Transfer.Status.SETTLED)


def test_a_refund_happens_once(paid: Transfer) -> None:
    refund(paid)
    before = _books()
    with pytest.raises(AlreadyRefunded):
        refund(paid)
    assert _books() == before


def test_a_refund_is_not_refunded(paid: Transfer) -> None:
    returned = refund(paid)
    with pytest.raises(NotRefundable):
        refund(returned)


def test_a_pending_transfer_is_not_refunded(alices: Account, bobs: Account) -> None:
    pending = Transfer.objects.create(
        source=alices, target=bobs, amount=1, currency="EUR", status="pending"
    )
    with pytest.raises(NotRefundable):
        refund(pending)


def test_a_refund_that_cannot_be_paid_leaves_no_trace(
    paid: Transfer, open_account: OpenAccount
) -> None:
    transfer(_order(paid.target, open_account("alice"), amount=1050))
    before = _books()
    with pytest.raises(InsufficientFunds) as raised:
        refund(paid)
    assert raised.value.extensions == {"balance": 50, "required": 100}
    assert _books() == before
    assert paid.status == Transfer.Status.SETTLED


def test_an_account_with_transfers_stays(paid: Transfer) -> None:
    transfer(_order(paid.target, paid.source, amount=1100))
    with pytest.raises(AccountInUse):
        delete_account(paid.target)
    assert Account.objects.filter(pk=paid.target_id).exists()


def test_an_account_with_money_stays(alices: Account) -> None:
    with pytest.raises(AccountInUse):
        delete_account(alices)


def test_deleting_twice_is_no_error(open_account: OpenAccount) -> None:
    empty = open_account("alice", 0)
    twin = Account.objects.get(pk=empty.pk)
    delete_account(empty)
    delete_account(twin)
    assert not Account.objects.exists()


def _order(
    source: Account, target: Account, amount: int = 100, reference: str = ""
) -> Order:
    return Order(
        source=source.pk,
        target=target.pk,
        amount=amount,
        currency="EUR",
        reference=reference,
    )


def _total() -> int:
    return Account.objects.aggregate(total=Sum("balance"))["total"] or 0


def _books() -> object:
    accounts = Account.objects.order_by("pk").values_list("pk", "balance", "version")
    transfers = Transfer.objects.order_by("pk").values_list("pk", "status")
    return list(accounts), list(transfers)
