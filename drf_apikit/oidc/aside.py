"""Calls in a thread of their own: one that hangs holds up nobody else."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from django.core.cache import caches
from django.db import connections

__all__ = ["Aside", "close_connections"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Aside:
    """One daemon thread, which makes calls one after the other until `end()`."""

    def __init__(self, name: str, at_end: Callable[[], object] | None = None) -> None:
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._at_end = at_end
        self._last: Future[Any] | None = None
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    @property
    def is_stuck(self) -> bool:
        """Whether its last call has not come to an end."""
        return self._last is not None and not self._last.done()

    def call(self, function: Callable[[], T], timeout: float) -> T:
        """Make a call, and give or raise what it does.

        Raises:
            TimeoutError: it takes longer than `timeout` seconds, and goes on.
            RuntimeError: it raises what is no `Exception`, which would end a thread.

        """
        self._last = future = Future[T]()

        def fulfil() -> None:
            with _Handing(future):
                future.set_result(function())

        self._calls.put(fulfil)
        return future.result(timeout)

    def end(self) -> None:
        """Let the thread end after the calls that it has."""
        self._calls.put(None)

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
        if self._at_end is not None:
            self._at_end()


class _Handing:
    """Hands what is raised over to whoever waits for it."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def __enter__(self) -> None:
        """Catch from here on."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if error is not None and not isinstance(error, Exception):
            # As `sys.exit()`, or a time limit of gevent: that is of no other thread.
            error, cause = RuntimeError(type(error).__name__), error
            error.__cause__ = cause
        if error is not None:
            self._future.set_exception(error)
        return True


def close_connections() -> None:
    """Close what a thread has opened, as Django does at the end of a request."""
    for handler in (caches, connections):
        try:
            handler.close_all()
        except BaseException:
            # Whatever is wrong with a connection, nobody uses it any more; and the
            # thread, which is nobody else's, is still wanted.
            logger.warning("Cannot close a connection", exc_info=True)
