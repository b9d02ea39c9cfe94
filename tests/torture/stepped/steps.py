"""The steps of a protected request, and the end of a worker at one of them."""

import os
import signal
import threading
from enum import StrEnum
from pathlib import Path
from typing import Final

__all__ = ["HEADER", "HITS", "Step", "now"]

#: A request with it is the last one of its worker.
HEADER: Final = "Torture-Kill-At"
#: In the server's folder; a line for each worker that has come to its step.
HITS: Final = "hits"
WORKERS: Final = "workers"


class Step(StrEnum):
    """Where a worker is killed; a replay has steps of its own."""

    CLAIMING = "before the claim"
    CLAIMED = "after the claim"
    MOVING = "amid the effect"
    MOVED = "after the effect"
    STORED = "before COMMIT"
    COMMITTING = "amid COMMIT"
    COMMITTED = "after COMMIT"
    ANSWERING = "before the answer is sent"
    READ = "after the read of a replay"
    REPLAYING = "before a replay is sent"

    @property
    def of_replay(self) -> bool:
        """Whether only a request that was answered before comes here."""
        return self in {Step.READ, Step.REPLAYING}


class Request(threading.local):
    """The request of this thread: what it has done, and where it is to end."""

    end: str = ""
    claimed: bool = False
    stored: bool = False

    def begin(self, end: str) -> None:
        """Note where the process is to be killed; empty: nowhere."""
        self.end, self.claimed, self.stored = end, False, False

    def reach(self, *steps: Step) -> None:
        """Kill this process if one of the steps is the one."""
        if self.end not in steps:
            return
        hits = os.open(HITS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(hits, f"{self.end}\n".encode())
        # Before the end, so that nobody kills another process of this number.
        Path(WORKERS, str(os.getpid())).unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGKILL)


now: Final = Request()
