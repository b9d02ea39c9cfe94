"""A value with an end that one process obtains for all, as a token or a document.

A caller gets what the process has, else what the cache has; else one caller of all
processes obtains it, and the others wait for that. Past `renew_at` one obtains a new
one in the background, and everybody goes on with the old one until it expires.
"""

import math
import os
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from drf_apikit.oidc.courier import Courier
from drf_apikit.oidc.entries import SKEW
from drf_apikit.oidc.shared_errand import GLANCE, Errand, Means, PausedError, Refused
from drf_apikit.oidc.shared_record import Record, Timed
from drf_apikit.oidc.sharing import SharedLevel

__all__ = ["PausedError", "SharedValue", "Timed", "UnobtainableError", "begin_anew"]

#: Seconds for whoever takes over from a process that has died, and for the cache.
_GRACE: Final = 3.0

T = TypeVar("T")


class UnobtainableError(Exception):
    """There is no value; `reason` is for logs, `retry_after` in seconds."""

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class _Held(Generic[T]):
    """A value that needs no thought from `since` until `look_at`."""

    value: T = field(repr=False)
    since: float
    look_at: float


class SharedValue(Generic[T]):
    """Obtains a value, shares it by its name, and renews it.

    `obtain` raises what it likes: the text of the error is the reason that all
    processes tell, so there is no secret in it; `PausedError` also says until when
    nobody tries again. It takes `patience` seconds at the
    most: for so long nobody else tries. `dump` and `load` write and read a value;
    `load` raises ValueError for what it cannot read. `cache` is an alias in CACHES,
    where it is not that of the section `AUTHENTICATION`.
    """

    def __init__(
        self,
        name: str,
        obtain: Callable[[], Timed[T]],
        *,
        dump: Callable[[T], str],
        load: Callable[[str], T],
        clock: Callable[[], float] = time.time,
        patience: float = 10.0,
        cache: str | None = None,
    ) -> None:
        self._clock, self._life = clock, math.ceil(patience)
        means = Means(obtain, dump, load, clock, self._life)
        level = SharedLevel(name, cache, self._life)
        self._errand = Errand(means, level, self._publish)
        self._courier = Courier(name, self._errand.run)
        self.begin_anew()
        _VALUES.add(self)

    def get(self) -> T:
        """Give the value.

        Raises:
            UnobtainableError: there is none, and nobody can obtain one.

        """
        held = self._held
        if held is not None and held.since <= self._clock() < held.look_at:
            return held.value
        with self._lock:
            record = self._errand.usable()
            if record is not None:
                # Whoever comes next need not ask again.
                self._hold(record)
        if record is not None:
            if not record.is_fresh(self._clock()):
                self._courier.ask(None)
            return record.timed.value
        return self._waited_for()

    def replace(self, refused: T) -> T | None:
        """Give another value than this one, which somebody has refused.

        It may be one that another process has already. None: there is no other, or
        one was obtained for that reason not long ago.
        """
        if self._other_than(refused) is None:
            self._wait(Refused(refused), lambda: bool(self._other_than(refused)))
        record = self._other_than(refused)
        return None if record is None else record.timed.value

    def settle(self, timeout: float) -> bool:
        """Wait until nothing is under way; False where that takes too long."""
        return self._courier.settle(timeout)

    def begin_anew(self) -> None:
        """Go on with what is known, in the child of a fork as well."""
        self._held: _Held[T] | None = None
        self._lock = threading.Lock()
        self._courier.begin_anew()
        self._errand.begin_anew()

    def _waited_for(self) -> T:
        errand = self._errand
        known = errand.has_failed() and 0 <= self._clock() - errand.looked_at < GLANCE
        if not known:
            self._wait(None, lambda: errand.usable() is not None)
        record, failure = errand.usable(), errand.failure
        if record is not None:
            return record.timed.value
        if failure is None or not failure.holds(self._clock()):
            raise UnobtainableError("it takes too long", 1)
        wait = max(1, math.ceil(failure.until - self._clock()))
        raise UnobtainableError(failure.reason, wait)

    def _wait(self, wish: Refused | None, until: Callable[[], bool]) -> None:
        number = self._courier.ask(wish)
        self._courier.wait(number, until, self._life + _GRACE)

    def _publish(self, record: Record[T]) -> None:
        """Let everybody have what the errand has found."""
        with self._lock:
            self._hold(record)
        self._courier.tell()

    def _hold(self, record: Record[T]) -> None:
        now, timed = self._clock(), record.timed
        due = timed.renew_at if record.is_fresh(now) else now + GLANCE
        until = min(due, timed.expires_at)
        self._held = _Held(timed.value, record.since - SKEW, until)

    def _other_than(self, refused: T) -> Record[T] | None:
        record = self._errand.usable()
        return None if record is None or record.timed.value == refused else record


#: All that a child of a fork has to begin anew with.
_VALUES: Final[weakref.WeakSet[SharedValue[Any]]] = weakref.WeakSet()


def begin_anew() -> None:
    """Let all values of a process begin anew, which is the child of a fork."""
    for value in list(_VALUES):
        value.begin_anew()


os.register_at_fork(after_in_child=begin_anew)
