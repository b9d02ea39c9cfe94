"""How a shared value is obtained; all of it runs in the background.

The shared level is looked at first. Whoever finds nothing fresh there takes the lock,
looks once more and obtains a value; the others go on with what they have, or wait
where they have nothing. A value that somebody has refused takes the same way.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from drf_apikit.oidc.shared_record import (
    Failure,
    Record,
    Timed,
    dump_failure,
    dump_record,
    load_text,
)
from drf_apikit.oidc.sharing import LONGEST, Lock, LockState, SharedLevel

__all__ = ["FORCED", "GLANCE", "Errand", "Means", "PausedError", "Refused"]

logger = logging.getLogger(__name__)

#: Seconds between two renewals that a refused value has forced, of all processes.
FORCED: Final = 30
#: Seconds between two looks at what others may have obtained.
GLANCE: Final = 1
#: Seconds from a failure to the next attempt, at the least.
_PAUSE: Final = 5

T = TypeVar("T")


class PausedError(Exception):
    """There is no value, and none for `pause` seconds, whoever asks.

    That is for who would be told the same again; two minutes at the most.
    """

    def __init__(self, reason: str, pause: float) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True, slots=True)
class Means(Generic[T]):
    """How a value is obtained, written and read; `life` is the seconds of a lock."""

    obtain: Callable[[], Timed[T]]
    dump: Callable[[T], str]
    load: Callable[[str], T]
    clock: Callable[[], float]
    life: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A wish for another value than this one."""

    value: Any = field(repr=False)


class Errand(Generic[T]):
    """The errand of one value. Others only read what its attributes say."""

    def __init__(
        self, means: Means[T], shared: SharedLevel, publish: Callable[[Record[T]], None]
    ) -> None:
        self._means, self._clock = means, means.clock
        self._shared, self._publish = shared, publish
        #: What was read or written last in the shared level.
        self._seen: str | None = None
        self._forced_at = float("-inf")
        self.record: Record[T] | None = None
        self.failure: Failure | None = None
        #: When the shared level was looked at.
        self.looked_at = float("-inf")

    def begin_anew(self) -> None:
        """Go on with what is known, in the child of a fork as well."""
        self._shared.begin_anew()

    def usable(self) -> Record[T] | None:
        """Give what there is, if it has not ended."""
        record = self.record
        return record if record and record.is_usable(self._clock()) else None

    def has_failed(self) -> bool:
        """Tell whether the next attempt is not due yet."""
        return self.failure is not None and self.failure.holds(self._clock())

    def run(self, wishes: Iterable[Refused | None]) -> None:
        """Look at what is shared, and obtain what is missing."""
        with self._shared.session(self._clock()):
            self._adopt()
            self.looked_at = self._clock()
            if not self._is_fresh():
                self._renew()
            for wish in wishes:
                if wish is not None:
                    self._force(wish)

    def _renew(self) -> None:
        """Obtain a value, unless another process does or has just failed to."""
        if self.has_failed():
            return
        is_cold = self.usable() is None
        lock = self._queue(self._is_fresh, patient=is_cold)
        if lock is None:
            return
        if lock.state in {LockState.MINE, LockState.NONE}:
            self._obtain_for(lock)
        elif lock.state is LockState.FAILED:
            self._adopt()
            if not self.has_failed():
                self._note("another process has failed", lock.until)
        elif is_cold:
            self._note("another process takes too long", self._clock() + GLANCE)

    def _force(self, wish: Refused) -> None:
        """Obtain another value than one that was refused, if one is due."""

        def is_settled() -> bool:
            record = self.usable()
            return record is None or Refused(record.timed.value) != wish

        if is_settled() or self.has_failed():
            return
        lock = self._queue(is_settled, patient=True)
        if lock is None or lock.state in {LockState.BUSY, LockState.FAILED}:
            return
        if self._is_charged():
            self._obtain_for(lock)
        else:
            self._shared.unlock(lock)

    def _is_charged(self) -> bool:
        """Charge this process and all of them for a forced renewal."""
        now = self._clock()
        if 0 <= now - self._forced_at < FORCED:
            return False
        if not self._shared.take_slot(now, slots=1, window=FORCED):
            return False
        self._forced_at = now
        return True

    def _queue(self, is_done: Callable[[], bool], *, patient: bool) -> Lock | None:
        """Get the lock, or None when another process has done what was wanted."""

        def looked() -> bool:
            self._adopt()
            return is_done()

        life = self._means.life
        return self._shared.queue(looked, self._clock, life, life + 1 if patient else 0)

    def _obtain_for(self, lock: Lock) -> None:
        """Obtain and share, or tell everybody why not."""
        former, began = self.usable(), self._clock()
        # Younger than what it replaces, also where that came from a fast clock.
        since = began if former is None else max(began, former.since)
        try:
            record = Record(self._means.obtain(), since)
            text = dump_record(record, self._means.dump)
        except Exception as error:
            # Whoever obtains it tells the log of what is no surprise.
            logger.debug("Cannot obtain a value", exc_info=True)
            reason = str(error) or type(error).__name__
            pause = error.pause if isinstance(error, PausedError) else _PAUSE
            self._fail(lock, began, reason, pause)
            return
        now = self._clock()
        if record.is_usable(now):
            self._shared.write(text, record.timed.expires_at - now)
            self._shared.unlock(lock)
            self._take(record, text)
        else:
            self._fail(lock, began, "it has ended already", _PAUSE)

    def _fail(self, lock: Lock, began: float, reason: str, pause: float) -> None:
        now = self._clock()
        until = max(began + self._means.life, min(now + pause, began + LONGEST))
        failure = Failure(reason, began, until)
        # Who was too slow may have lost the lock to somebody who was lucky.
        self._adopt()
        if self.usable() is None:
            self._shared.write(dump_failure(failure), until - now)
        self._shared.fail(lock, now, until)
        self.failure = failure

    def _adopt(self) -> None:
        """Take what another process has obtained, if it is newer than ours."""
        text, now = self._shared.read(), self._clock()
        if text is None or text == self._seen:
            return
        self._seen = text
        try:
            found = load_text(text, self._means.load, now)
        except ValueError as error:
            logger.warning("A shared value cannot be read: %s", error)
            return
        mine = self.usable()
        if isinstance(found, Failure):
            if mine is None:
                self.failure = found
        elif found.is_usable(now) and (mine is None or found.since >= mine.since):
            self._take(found, text)

    def _take(self, record: Record[T], text: str) -> None:
        """Go on with a record, for all that ask from now on."""
        self.record, self.failure, self._seen = record, None, text
        self._publish(record)

    def _note(self, reason: str, until: float) -> None:
        self.failure = Failure(reason, self._clock(), until)

    def _is_fresh(self) -> bool:
        return self.record is not None and self.record.is_fresh(self._clock())
