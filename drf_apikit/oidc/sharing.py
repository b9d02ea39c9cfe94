"""What processes share through Django's cache: a text, a lock, and a budget.

A cache that is missing, dead, hanging or full of rubbish is no error: each method
then gives what leaves this process to itself. All calls are made in a thread of
their own, and the first one that takes too long or fails is the last of a session.
"""

import logging
import math
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any, Final, TypeVar

from django.core.cache import caches

from drf_apikit.conf import apikit_settings
from drf_apikit.oidc.aside import Aside, close_connections

__all__ = ["LONGEST", "RECOVERY", "SLOTS", "WINDOW", "Lock", "LockState", "SharedLevel"]

logger = logging.getLogger(__name__)

#: Forced fetches in any `WINDOW` seconds, for all processes together.
SLOTS: Final = 3
WINDOW: Final = 60
#: Seconds that one call may take; less where fetches have to be quick as well.
_PATIENCE: Final = 1.0
#: Seconds in which a process may make its first client of a cache: that loads a
#: library, which many processes that start together do at the same time.
_MAKING: Final = 5.0
#: Seconds for which a failure of another process counts at the most.
LONGEST: Final = 120
#: Seconds for which a cache that has failed is left alone: who comes next would wait
#: for it once more, and a request has no more patience than for one such wait.
RECOVERY: Final = 5
#: Seconds between two looks of whoever waits for another process.
_BEAT: Final = 0.05

#: By alias: when a process began to make a client, and whether that has ended. The
#: child of a fork goes on with it, as it does with what was loaded.
_BEGAN: Final[dict[str, float]] = {}
_MADE: Final[set[str]] = set()

T = TypeVar("T")


class LockState(Enum):
    """Who may fetch."""

    MINE = "mine"
    #: Another process fetches.
    BUSY = "busy"
    #: One has tried in vain, and nobody tries again before `until`.
    FAILED = "failed"
    #: There is no cache to share: each process is alone.
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock as it was found or taken; `until` is in seconds since the epoch."""

    state: LockState
    until: float = 0.0
    token: str = ""

    def dump(self) -> str:
        """Write it as others are to see it."""
        state = LockState.BUSY if self.state is LockState.MINE else self.state
        return f"{state.value}:{float(self.until)!r}:{self.token}"


_ALONE: Final = Lock(LockState.NONE)
_WRITTEN: Final = re.compile(r"(busy|failed):(\d{1,12}\.\d{1,12}):([0-9a-f]{16})")


class SharedLevel:
    """The part of a cache that belongs to a name, which keys of it begin with.

    `cache` is the alias in CACHES; None: that of the section `AUTHENTICATION`.
    `making`: seconds in which the first client of it may be made; by default what a
    request leaves that waits for `FETCH_TIMEOUT`.
    """

    def __init__(
        self, name: str, cache: str | None = None, making: float | None = None
    ) -> None:
        self._name = name
        self._cache = cache
        self._making = making
        self._is_failing = False
        #: When the session began in which the cache has failed.
        self._failed_at = self._now = -math.inf
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget the threads, as in the child of a fork, which has none of them."""
        self._aside: Aside | None = None
        #: The thread of an earlier session, which may still hang.
        self._former: Aside | None = None

    @contextmanager
    def session(self, now: float = math.inf) -> Iterator[None]:
        """Have a thread for calls, unless the last one still hangs.

        Nor is there one within `RECOVERY` seconds of a session that has failed, for
        whoever tells what time it is.
        """
        self._now, is_stuck = now, self._former is not None and self._former.is_stuck
        if not (is_stuck or 0 <= now - self._failed_at < RECOVERY):
            # Without a thread more there is no shared level either.
            with suppress(RuntimeError):
                made = Aside("drf_apikit shared", close_connections)
                self._aside = self._former = made
        try:
            yield
            if self._aside is not None and self._is_failing:
                self._is_failing = False
                logger.info("Sharing through the cache goes on")
        finally:
            self._leave()

    def read(self) -> str | None:
        """Give the shared text, if there is any."""
        text = self._call(lambda cache: cache.get(self._name), None)
        return text if isinstance(text, str) else None

    def write(self, text: str, life: float) -> None:
        """Share a text."""
        self._call(lambda cache: cache.set(self._name, text, math.ceil(life)), None)

    def lock(self, now: float, life: int) -> Lock:
        """Take the lock, or give that of the other one."""
        mine = Lock(LockState.MINE, now + life, secrets.token_hex(8))
        key = f"{self._name}:lock"
        return self._call(lambda cache: _take_lock(cache, key, mine, now, life), _ALONE)

    def unlock(self, lock: Lock) -> None:
        """Give the lock back after a success."""
        key = f"{self._name}:lock"

        def give_back(cache: Any) -> None:
            if cache.get(key) == lock.dump():
                cache.delete(key)

        if lock.state is LockState.MINE:
            self._call(give_back, None)

    def queue(
        self,
        is_done: Callable[[], bool],
        clock: Callable[[], float],
        life: int,
        timeout: float,
    ) -> Lock | None:
        """Get the lock, or None when another process has done what was wanted.

        `is_done` looks at what is shared first. The lock of another process is waited
        for, `timeout` seconds at the most.
        """
        deadline = time.monotonic() + timeout
        while True:
            lock = self.lock(clock(), life)
            # The cache may forget a little later than the lock is over.
            is_over = lock.state is LockState.FAILED and lock.until <= clock()
            is_held = is_over or lock.state is LockState.BUSY
            if is_held and time.monotonic() < deadline:
                time.sleep(_BEAT)
            elif lock.state is not LockState.MINE:
                return lock
            if is_done():
                self.unlock(lock)
                return None
            if lock.state is LockState.MINE:
                return lock

    def fail(self, lock: Lock, now: float, until: float | None = None) -> None:
        """Let the lock stay until it expires, or `until`, and tell the others why."""
        end = lock.until if until is None else until
        key = f"{self._name}:lock"
        failed = replace(lock, state=LockState.FAILED, until=end)

        def leave(cache: Any) -> None:
            if cache.get(key) == lock.dump():
                cache.set(key, failed.dump(), max(1, math.ceil(end - now)))

        if lock.state is LockState.MINE:
            self._call(leave, None)

    def take_slot(self, now: float, slots: int = SLOTS, window: int = WINDOW) -> bool:
        """Charge the budget of all processes for one fetch, if it has any left."""
        keys = [f"{self._name}:slot:{number}" for number in range(slots)]

        def take(cache: Any) -> bool:
            return _take_slot(cache, keys, now, window)

        return self._call(take, default=True)

    def _call(self, function: Callable[[Any], T], default: T) -> T:
        if self._aside is None:
            return default
        settings = apikit_settings.authentication
        patience = min(_PATIENCE, settings.fetch_timeout / 4)
        alias = self._cache or settings.cache
        try:
            if alias not in _MADE:
                self._make(self._aside, alias, patience)
            return self._aside.call(lambda: function(caches[alias]), patience)
        except Exception:
            # Whatever the cache does, this process can help itself.
            if not self._is_failing:
                logger.warning("Cannot share through the cache", exc_info=True)
            self._is_failing, self._failed_at = True, self._now
            self._leave()
            return default

    def _make(self, aside: Aside, alias: str, patience: float) -> None:
        """Have a client made, apart from calls: these may hang, and are hurried."""
        now, timeout = time.monotonic(), apikit_settings.authentication.fetch_timeout
        left = _BEGAN.setdefault(alias, now) + _MAKING - now
        making = timeout / 2 if self._making is None else self._making
        aside.call(partial(_make_client, alias), max(patience, min(left, making)))

    def _leave(self) -> None:
        if self._aside is not None:
            self._aside.end()
        self._aside = None


def _make_client(alias: str) -> None:
    """Make the client of a cache, which talks to nobody yet."""
    try:
        cache = caches[alias]
        # Django's caches, and django-redis, make theirs when it is first looked at.
        for name in ("_cache", "client"):
            getattr(cache, name, None)
    finally:
        _MADE.add(alias)


def _take_lock(cache: Any, key: str, mine: Lock, now: float, life: int) -> Lock:
    text = mine.dump()
    # Between the two calls another process may give it back.
    for _ in range(3):
        if cache.add(key, text, life):
            return mine
        found = cache.get(key)
        if found is not None:
            break
    else:
        # It says that there is one, and has none: it keeps nothing.
        return _ALONE
    match = _WRITTEN.fullmatch(found) if isinstance(found, str) else None
    held = match and Lock(LockState(match[1]), float(match[2]), match[3])
    if held and -life <= held.until - now <= _most(held, life):
        return held
    # Rubbish, or a cache in which nothing expires.
    cache.set(key, text, life)
    return mine


def _most(held: Lock, life: int) -> int:
    """Give the seconds for which a lock is believed; a failure may count for longer."""
    return max(2 * life, LONGEST if held.state is LockState.FAILED else 0)


def _take_slot(cache: Any, keys: list[str], now: float, window: int) -> bool:
    taken = []
    for key in keys:
        if cache.add(key, float(now), window):
            return True
        taken.append((key, cache.get(key)))
    if all(stamp is None for _, stamp in taken):
        # It keeps nothing.
        return True
    rubbish = [key for key, stamp in taken if not _is_stamp(stamp, now, window)]
    for key in rubbish[:1]:
        cache.set(key, float(now), window)
    return bool(rubbish)


def _is_stamp(value: Any, now: float, window: int) -> bool:
    """Tell whether a slot is taken; one that has just expired is left alone."""
    is_number = isinstance(value, int | float)
    return value is None or (is_number and abs(now - value) <= 2 * window)
