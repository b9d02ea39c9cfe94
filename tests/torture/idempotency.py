"""Payments through kills: every key moves its money exactly once.

Clients retry like a payment SDK: the same key and body until a final answer is
there, on a broken connection, on 409 with Retry-After and on 5xx. Some ask again
although they have their answer. Meanwhile workers are killed inside requests: one
half of them at random instants, the other half at each of the steps of a protected
request in turn. Now and then PostgreSQL is stopped at once, and started again: only
then an answer of 5xx is right.

With each request in a transaction (ATOMIC_REQUESTS) and without.
"""

import itertools
import random
import sys
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tests.services import durable_postgresql
from tests.torture.harness import Answer, BrokenError, conclude, options
from tests.torture.payments import BALANCES, Payment, judge
from tests.torture.stepped.ledger import SteppedLedger, Trap
from tests.torture.stepped.steps import HEADER, Step

__all__ = ["KILL", "STOP", "Run", "planned", "run"]

CLIENTS: Final = 6
#: The first accounts: all of one currency and none of them frozen.
ACCOUNTS: Final = range(1, 7)
SECONDS_FOR_PAYMENT: Final = 30.0
LONGEST_PAUSE: Final = 0.05
LONGEST_REQUEST: Final = 1.0
LONGEST_STOP: Final = 0.2
ASKED_AGAIN: Final = 0.2
MILLISECONDS: Final = 1000
#: What happens besides kills at a named step.
KILL: Final = "kill"
STOP: Final = "stop"


class Run:
    """The clients and the killer of one run.

    `forgetful` clients make another key when they have no answer.
    """

    def __init__(
        self, ledger: SteppedLedger, seed: int, *, forgetful: bool = False
    ) -> None:
        self._ledger = ledger
        self._forgetful = forgetful
        self._rng = random.Random(seed)
        self._authorization = ledger.authorization()
        self._over = threading.Event()
        self._sent = threading.Event()
        self._latency = LONGEST_PAUSE
        self._trap = Trap(ledger)
        #: When PostgreSQL was stopped, and when it answered again.
        self.outages: list[tuple[float, float]] = []
        self._down: float | None = None

    def play(self, plan: list[str]) -> list[Payment]:
        """Do what is planned while the clients pay; give all payments."""
        seeds = [self._rng.getrandbits(64) for _ in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self._client, random.Random(s)) for s in seeds]
            try:
                for event in plan:
                    self._happen(event)
            finally:
                self._over.set()
        payments = [payment for client in clients for payment in client.result()]
        for payment in payments:
            self._pay(payment)
        return payments

    def in_outage(self, begin: float, end: float) -> bool:
        """Tell whether PostgreSQL was down at some time in between."""
        stopped = self._down
        if stopped is not None and end >= stopped:
            return True
        return any(begin <= up and end >= down for down, up in self.outages)

    def _client(self, rng: random.Random) -> list[Payment]:
        payments = []
        while not self._over.is_set():
            source, target = rng.sample(ACCOUNTS, 2)
            key = str(uuid.UUID(int=rng.getrandbits(128), version=4))
            payment = Payment(key, source, target, rng.randint(1, 100))
            payments.append(payment)
            self._pay(payment)
            if rng.random() < ASKED_AGAIN or self._trap.is_for_a_replay():
                self._pay(payment)
        return payments

    def _pay(self, payment: Payment) -> None:
        """Ask until there is a final answer, or none in time."""
        began = time.monotonic()
        broken: float | None = None
        while time.monotonic() < began + SECONDS_FOR_PAYMENT:
            begin = time.monotonic()
            answer = self._ask(payment)
            end = time.monotonic()
            if answer is None or answer.status >= 500:
                broken = broken or end
                self._note_failure(payment, answer, begin, end)
            elif answer.status == 409 and "Retry-After" in answer.headers:
                self._over.wait(LONGEST_PAUSE)
            else:
                self._latency = end - begin
                payment.answers.append(answer)
                if broken:
                    payment.recoveries.append((broken, end))
                return

    def _ask(self, payment: Payment) -> Answer | None:
        """Send it; give None where no whole answer came."""
        step = self._trap.take(payment)
        payment.sent += 1
        self._sent.set()
        key = payment.key + (f"-{payment.broken}" if self._forgetful else "")
        headers = {"Authorization": self._authorization, "Idempotency-Key": key}
        try:
            return self._ledger.send(
                "POST",
                "/api/transfers/",
                payment.order,
                {**headers, HEADER: step} if step else headers,
            )
        except BrokenError:
            return None
        finally:
            if step:
                self._trap.close(step)

    def _note_failure(
        self, payment: Payment, answer: Answer | None, begin: float, end: float
    ) -> None:
        if answer is None:
            payment.broken += 1
            return
        if self.in_outage(begin, end):
            payment.excused += 1
        else:
            payment.failed += 1
        # A server that is down does not come back by being asked.
        self._over.wait(LONGEST_STOP)

    def _happen(self, event: str) -> None:
        if event in set(Step):
            self._trap.set(Step(event))
            return
        self._sent.clear()
        self._sent.wait(SECONDS_FOR_PAYMENT)
        # Also a little after the usual end of a request, where its answer leaves.
        usual = min(self._latency, LONGEST_REQUEST)
        self._over.wait(self._rng.uniform(0, 1.5 * usual))
        if event == KILL:
            self._ledger.kill_a_worker(self._rng)
        else:
            self._stop()

    def _stop(self) -> None:
        """Stop PostgreSQL at once, and start it again on the same data."""
        self._down = time.monotonic()
        self._ledger.postgresql.crash()
        self._over.wait(self._rng.uniform(0, LONGEST_STOP))
        self._ledger.postgresql.start()
        self.outages.append((self._down, time.monotonic()))
        self._down = None


def planned(kills: int, stops: int, seed: int) -> list[str]:
    """Give so many events in some order, every other kill at a step."""
    rng = random.Random(seed)
    steps = rng.sample(list(Step), len(Step))
    named: list[str] = list(itertools.islice(itertools.cycle(steps), kills // 2))
    events = [*named, *[KILL] * (kills - len(named)), *[STOP] * stops]
    rng.shuffle(events)
    return events


def run(ledger: SteppedLedger, name: str, plan: list[str], seed: int) -> int:
    """Play and judge; print the result and give the exit code."""
    before: dict[int, int] = dict(ledger.query(BALANCES))
    earlier, events = ledger.hits(), Counter(plan)
    played = Run(ledger, seed)
    payments = played.play(plan)
    hits = ledger.hits() - earlier
    wrong = judge(ledger, payments, before)
    wrong["steps missed"] = sum(max(0, events[step] - hits[step]) for step in Step)
    counts = {
        "kills": len(plan) - events[STOP],
        **{f"of them {step}": hits[step] for step in Step if hits[step]},
        "stops of PostgreSQL": events[STOP],
        "requests cut": sum(payment.broken for payment in payments),
        "payments": len(payments),
        "answers": sum(len(payment.answers) for payment in payments),
        "first answers from the record": sum(
            "Idempotent-Replayed" in answer.headers
            for payment in payments
            for answer in payment.answers[:1]
        ),
        "answers of 5xx while PostgreSQL was down": sum(
            payment.excused for payment in payments
        ),
        **slowest(played, payments),
    }
    return conclude(f"idempotency{name} --seed {seed}", counts, wrong)


def slowest(played: Run, payments: list[Payment]) -> dict[str, int]:
    """Give the longest times from a failure to the answer."""
    times = {"ms at most from a kill to the answer": 0.0}
    if played.outages:
        times["ms at most from a stop to the answer"] = 0.0
    kinds = list(times)
    for payment in payments:
        for begin, end in payment.recoveries:
            kind = kinds[played.in_outage(begin, end)]
            times[kind] = max(times[kind], end - begin)
    return {kind: round(MILLISECONDS * seconds) for kind, seconds in times.items()}


def main() -> int:
    modes = {"both": (False, True), "off": (False,), "on": (True,)}
    chosen = options(
        __doc__, choices={"atomic-requests": list(modes)}, kills=40, stops=1
    )
    kills, stops, failed = chosen.kills, chosen.stops, 0
    wanted = modes[chosen.atomic_requests]
    with durable_postgresql() as postgresql:
        for left, atomic in zip(range(len(wanted), 0, -1), wanted, strict=True):
            plan = planned(kills // left, stops // left, chosen.seed)
            kills, stops = kills - kills // left, stops - stops // left
            name = f", ATOMIC_REQUESTS {'on' if atomic else 'off'}"
            with SteppedLedger(postgresql, atomic=atomic) as ledger:
                failed |= run(ledger, name, plan, chosen.seed)
    return failed


if __name__ == "__main__":
    sys.exit(main())
