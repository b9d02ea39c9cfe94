"""Many at once: no money is made or lost, nobody waits for ever, on each database."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Sum

from ledger.models import Account, Transfer
from ledger.problem_types import (
    AccountClosed,
    AccountInUse,
    AlreadyRefunded,
    InsufficientFunds,
)
from ledger.services import Order, delete_account, refund, transfer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("database"),
]

THREADS = 8
OPENING = 1000


def test_the_sum_of_balances_never_changes() -> None:
    accounts = _accounts(4)
    total = _total()
    refusals: list[dict[str, int]] = []

    def work(thread: int) -> list[int]:
        chance = random.Random(thread)
        sums = []
        for _ in range(12):
            source, target = chance.sample(accounts, 2)
            try:
                transfer(_order(source, target, amount=chance.randint(1, 900)))
            except InsufficientFunds as problem:
                refusals.append(problem.extensions)
            sums.append(_total())
        return sums

    # At no moment does any other transaction see money on its way.
    assert {each for sums in _in_threads(work) for each in sums} == {total}
    # True at the moment of the refusal, whatever happened around it.
    assert all(refused["balance"] < refused["required"] for refused in refusals)
    _assert_history_explains_balances()


def test_opposite_transfers_do_not_deadlock() -> None:
    first, second = _accounts(2)

    def work(thread: int) -> int:
        ends = (first, second) if thread % 2 else (second, first)
        for _ in range(10):
            transfer(_order(*ends, amount=10))
        return thread

    assert sorted(_in_threads(work)) == list(range(THREADS))
    assert Transfer.objects.count() == THREADS * 10
    _assert_history_explains_balances()


def test_the_last_money_is_spent_once() -> None:
    poor, rich = _accounts(2)

    def work(_thread: int) -> bool:
        try:
            transfer(_order(poor, rich, amount=OPENING))
        except InsufficientFunds:
            return False
        return True

    assert sum(_in_threads(work)) == 1
    poor.refresh_from_db()
    assert poor.balance == 0


def test_of_many_refunds_one_happens() -> None:
    source, target = _accounts(2)
    paid = transfer(_order(source, target, amount=100))

    def work(_thread: int) -> bool:
        try:
            refund(Transfer.objects.get(pk=paid.pk))
        except AlreadyRefunded:
            return False
        return True

    assert sum(_in_threads(work)) == 1
    assert Transfer.objects.filter(refund_of=paid).count() == 1
    _assert_history_explains_balances()


def test_money_never_goes_with_a_deleted_account() -> None:
    source, target = _accounts(2)
    Account.objects.filter(pk=target.pk).update(balance=0)

    def work(thread: int) -> str:
        try:
            if thread % 2:
                delete_account(target)
            else:
                transfer(_order(source, target, amount=1))
        except (AccountInUse, AccountClosed) as problem:
            return problem.problem_type.slug
        return "done"

    outcomes = set(_in_threads(work))
    assert outcomes in ({"done", "account-in-use"}, {"done", "account-closed"})
    assert _total() == OPENING


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


def _accounts(number: int) -> list[Account]:
    owner = User.objects.create(username="owner")
    return [
        Account.objects.create(owner=owner, currency="EUR", balance=OPENING)
        for _ in range(number)
    ]


def _in_threads(work: Callable[[int], Any]) -> list[Any]:
    """Run the work in threads that begin at once, each with its connection."""
    barrier = Barrier(THREADS)

    def run(thread: int) -> Any:
        try:
            barrier.wait(30)
            return work(thread)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def _total() -> int:
    return Account.objects.aggregate(total=Sum("balance"))["total"] or 0


def _assert_history_explains_balances() -> None:
    for account in Account.objects.all():
        came = account.incoming.aggregate(total=Sum("amount"))["total"] or 0
        went = account.outgoing.aggregate(total=Sum("amount"))["total"] or 0
        moves = account.incoming.count() + account.outgoing.count()
        assert account.balance == OPENING + came - went
        assert account.version == 1 + moves
