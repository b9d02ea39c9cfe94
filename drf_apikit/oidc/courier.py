"""Errands in the background: one thread at a time, and only while there are any."""

import logging
import threading
import time
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from drf_apikit.oidc.aside import close_connections

__all__ = ["Courier"]

logger = logging.getLogger(__name__)

#: Wishes that are kept for an errand, since strangers may send any number of them.
_MOST: Final = 256

W = TypeVar("W", bound=Hashable)


class Courier(Generic[W]):
    """Runs an errand for the wishes that have come since the last one began.

    Of very many it is told some: an errand must do for all what it does for these.
    """

    def __init__(self, name: str, errand: Callable[[frozenset[W]], None]) -> None:
        self._name = name
        self._errand = errand
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget the thread, as in the child of a fork, which has none."""
        self._changed = threading.Condition()
        self._wishes: set[W] = set()
        self._is_running = False
        self._begun = self._done = 0
        self._begun_at = 0.0

    def ask(self, wish: W) -> int:
        """Have an errand run that begins later than now; give its number."""
        with self._changed:
            if len(self._wishes) < _MOST:
                self._wishes.add(wish)
            if not self._is_running:
                self._is_running = self._started()
            return self._begun + 1

    def wait(self, number: int, until: Callable[[], bool], timeout: float) -> bool:
        """Wait for the end of an errand, unless `until` holds before; tell of either.

        Nobody waits for long behind an errand that takes long already: `timeout`
        is in seconds since the one that is under way has begun.
        """

        def is_over() -> bool:
            return until() or self._done >= number or not self._is_running

        with self._changed:
            if self._begun > self._done:
                timeout -= time.monotonic() - self._begun_at
            return self._changed.wait_for(is_over, max(0.0, timeout))

    def tell(self) -> None:
        """Let those who wait look again."""
        with self._changed:
            self._changed.notify_all()

    def settle(self, timeout: float) -> bool:
        """Wait until nothing is under way; False where that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._is_running, timeout)

    def _started(self) -> bool:
        thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No more threads, or the interpreter ends. The next one may do better.
            logger.warning("Cannot start a thread", exc_info=True)
            self._wishes.clear()
            return False
        return True

    def _work(self) -> None:
        while (wishes := self._next()) is not None:
            try:
                self._errand(wishes)
            except BaseException:
                # A thread that ended here would be waited for in vain.
                logger.exception("An errand has failed")
            finally:
                with self._changed:
                    self._done = self._begun
                    self._changed.notify_all()

    def _next(self) -> frozenset[W] | None:
        """Take the wishes; without any, leave nothing open and come to the end."""
        is_closed = False
        while True:
            with self._changed:
                if self._wishes:
                    wishes, self._wishes = frozenset(self._wishes), set()
                    self._begun += 1
                    self._begun_at = time.monotonic()
                    return wishes
                if is_closed:
                    self._is_running = False
                    self._changed.notify_all()
                    return None
            close_connections()
            is_closed = True
