"""Payments as a client sees them, and what the books say of them."""

from dataclasses import dataclass, field
from typing import Any, Final

from tests.torture.harness import Answer, Ledger

__all__ = ["BALANCES", "Payment", "judge"]

BALANCES: Final = "SELECT id, balance FROM ledger_account"
#: What belongs to the answer, and so to each repetition of it.
COMPARED: Final = ("Content-Type", "Location", "ETag", "Content-Language")


@dataclass(slots=True)
class Payment:
    """One order under one key, and all final answers to it."""

    key: str
    source: int
    target: int
    amount: int
    answers: list[Answer] = field(default_factory=list)
    sent: int = 0
    broken: int = 0
    #: Answers of 5xx; those of the second kind while PostgreSQL was down.
    failed: int = 0
    excused: int = 0
    #: When it first broke, and when the next answer came.
    recoveries: list[tuple[float, float]] = field(default_factory=list)

    @property
    def order(self) -> dict[str, Any]:
        """What is sent."""
        return {
            "source": self.source,
            "target": self.target,
            "amount": self.amount,
            "currency": "EUR",
            "reference": self.key,
        }

    def differs(self) -> bool:
        """Tell whether two answers differ in anything a client reads."""
        told = {
            (a.status, a.body, *(a.headers.get(name) for name in COMPARED))
            for a in self.answers
        }
        return len(told) > 1


def judge(
    ledger: Ledger, payments: list[Payment], before: dict[int, int]
) -> dict[str, int]:
    """Compare the books with what the clients were told."""
    booked: dict[str, list[int]] = {payment.key: [] for payment in payments}
    for key, pk in ledger.query("SELECT reference, id FROM ledger_transfer"):
        booked.setdefault(key, []).append(pk)
    expected = dict(before)
    for payment in payments:
        expected[payment.source] -= payment.amount
        expected[payment.target] += payment.amount
    after: dict[int, int] = dict(ledger.query(BALANCES))
    answered = [payment for payment in payments if payment.answers]
    return {
        "duplicated": sum(len(booked[payment.key]) > 1 for payment in payments),
        "lost": sum(
            answer.status != 201 or answer.json()["id"] not in booked[payment.key]
            for payment in answered
            for answer in payment.answers
        ),
        "stuck": len(payments) - len(answered),
        "differing": sum(payment.differs() for payment in payments),
        "wrong balances": sum(after[pk] != expected[pk] for pk in after),
        "answers of 5xx": sum(payment.failed for payment in payments),
        "out of balance": abs(sum(after.values()) - sum(before.values())),
    }
