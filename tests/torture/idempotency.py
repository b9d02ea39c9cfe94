"""Payments through kills: every key moves its money exactly once.

Clients retry like a payment SDK: the same key and body until a final answer is
there, on a broken connection, on 409 with Retry-After and on 5xx. Some ask again
although they have their answer. Meanwhile workers are killed inside requests.
"""

import random
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.torture.harness import (
    Answer,
    BrokenError,
    Ledger,
    conclude,
    options,
    running,
)

CLIENTS = 6
#: The first accounts: all of one currency and none of them frozen.
ACCOUNTS = range(1, 7)
SECONDS_FOR_PAYMENT = 30.0
LONGEST_PAUSE = 0.05
LONGEST_REQUEST = 1.0
ASKED_AGAIN = 0.2
BALANCES = "SELECT id, balance FROM ledger_account"


@dataclass(slots=True)
class Payment:
    """One order under one key, and all final answers to it."""

    key: str
    source: int
    target: int
    amount: int
    answers: list[Answer] = field(default_factory=list)
    broken: int = 0
    failed: int = 0

    def differs(self) -> bool:
        """Tell whether two answers differ in anything a client reads."""
        told = {(a.status, a.body, a.headers.get("Location")) for a in self.answers}
        return len(told) > 1


class Run:
    """The clients and the killer of one run."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self._ledger = ledger
        self._rng = random.Random(seed)
        self._authorization = ledger.authorization()
        self._over = threading.Event()
        self._sent = threading.Event()
        self._latency = LONGEST_PAUSE

    def play(self, kills: int) -> list[Payment]:
        """Kill while the clients pay; give all payments."""
        seeds = [self._rng.getrandbits(64) for _ in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self._client, random.Random(s)) for s in seeds]
            try:
                for _ in range(kills):
                    self._kill()
            finally:
                self._over.set()
        payments = [payment for client in clients for payment in client.result()]
        for payment in payments:
            self._pay(payment)
        return payments

    def _client(self, rng: random.Random) -> list[Payment]:
        payments = []
        while not self._over.is_set():
            source, target = rng.sample(ACCOUNTS, 2)
            key = str(uuid.UUID(int=rng.getrandbits(128), version=4))
            payment = Payment(key, source, target, rng.randint(1, 100))
            payments.append(payment)
            self._pay(payment)
            if rng.random() < ASKED_AGAIN:
                self._pay(payment)
        return payments

    def _pay(self, payment: Payment) -> None:
        """Ask until there is a final answer, or none in time."""
        deadline = time.monotonic() + SECONDS_FOR_PAYMENT
        while time.monotonic() < deadline:
            begin = time.monotonic()
            self._sent.set()
            try:
                answer = self._send(payment)
            except BrokenError:
                payment.broken += 1
                continue
            if answer.status == 409 and "Retry-After" in answer.headers:
                self._over.wait(LONGEST_PAUSE)
            elif answer.status >= 500:
                payment.failed += 1
            else:
                self._latency = time.monotonic() - begin
                payment.answers.append(answer)
                return

    def _send(self, payment: Payment) -> Answer:
        body = {
            "source": payment.source,
            "target": payment.target,
            "amount": payment.amount,
            "currency": "EUR",
            "reference": payment.key,
        }
        headers = {
            "Authorization": self._authorization,
            "Idempotency-Key": payment.key,
        }
        return self._ledger.send("POST", "/api/transfers/", body, headers)

    def _kill(self) -> None:
        """Kill one worker at some instant of a request."""
        self._sent.clear()
        self._sent.wait(SECONDS_FOR_PAYMENT)
        # Also a little after the usual end of a request, where its answer leaves.
        usual = min(self._latency, LONGEST_REQUEST)
        self._over.wait(self._rng.uniform(0, 1.5 * usual))
        self._ledger.kill_a_worker(self._rng)


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


def run(ledger: Ledger, kills: int, seed: int) -> int:
    """Play and judge; print the result and give the exit code."""
    before: dict[int, int] = dict(ledger.query(BALANCES))
    payments = Run(ledger, seed).play(kills)
    counts = {
        "kills": kills,
        "requests cut": sum(payment.broken for payment in payments),
        "payments": len(payments),
        "answers": sum(len(payment.answers) for payment in payments),
        "killed between commit and answer": sum(
            "Idempotent-Replayed" in answer.headers
            for payment in payments
            for answer in payment.answers[:1]
        ),
    }
    wrong = judge(ledger, payments, before)
    return conclude(f"idempotency --seed {seed}", counts, wrong)


def main() -> int:
    chosen = options(__doc__, kills=40)
    with running() as ledger:
        return run(ledger, chosen.kills, chosen.seed)


if __name__ == "__main__":
    sys.exit(main())
