"""A ledger with steps, and the trap that a request at a step is."""

import threading
from collections import Counter
from typing import Final

from tests.postgresql import Postgresql
from tests.torture.harness import Ledger
from tests.torture.payments import Payment
from tests.torture.stepped.steps import HITS, Step

__all__ = ["SteppedLedger", "Trap"]

SECONDS_FOR_STEP: Final = 30.0


class SteppedLedger(Ledger):
    """A ledger whose workers can be killed at a step, on a server that can crash."""

    application = "tests.torture.stepped.wsgi"

    def __init__(self, postgresql: Postgresql, *, atomic: bool) -> None:
        super().__init__(postgresql.url)
        self.postgresql = postgresql
        self._atomic = atomic

    def environment(self) -> dict[str, str]:
        """Say whether each request is a transaction."""
        return {**super().environment(), "TORTURE_ATOMIC_REQUESTS": str(+self._atomic)}

    def hits(self) -> Counter[str]:
        """Count the workers that were killed at each step."""
        path = self.folder / HITS
        return Counter(path.read_text().splitlines() if path.exists() else [])


class Trap:
    """The step at which the next request of its kind is to be killed."""

    def __init__(self, ledger: SteppedLedger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._step: Step | None = None
        self._before = 0
        self._sprung = threading.Event()

    def set(self, step: Step) -> None:
        """Wait until a worker was killed at the step, or for too long."""
        self._before = self._ledger.hits()[step]
        self._sprung.clear()
        with self._lock:
            self._step = step
        self._sprung.wait(SECONDS_FOR_STEP)
        with self._lock:
            self._step = None

    def take(self, payment: Payment) -> Step | None:
        """Give the step to a payment that comes to it."""
        with self._lock:
            step = self._step
            if step and self._suits(step, payment):
                self._step = None
                return step
        return None

    def is_for_a_replay(self) -> bool:
        """Tell whether a client has to ask again."""
        step = self._step
        return step is not None and step.of_replay

    def close(self, step: Step) -> None:
        """See what came of it; another request has to try when nothing did."""
        if self._ledger.hits()[step] > self._before:
            self._sprung.set()
        else:
            with self._lock:
                self._step = step

    @staticmethod
    def _suits(step: Step, payment: Payment) -> bool:
        # A retry without an answer may be of either kind.
        return bool(payment.answers) if step.of_replay else not payment.sent
