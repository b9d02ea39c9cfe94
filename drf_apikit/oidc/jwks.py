"""The keys of one issuer, as requests have them.

They are parsed in the process, shared in the cache, and fetched. No request waits
while there is a usable key: what is due is done in the background.
"""

import logging
import math
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from drf_apikit.conf import IssuerSettings, apikit_settings
from drf_apikit.jose import KeySet
from drf_apikit.oidc.courier import Courier
from drf_apikit.oidc.entries import SKEW, Entry
from drf_apikit.oidc.renewal import Need, Renewal, Wish

__all__ = ["LOOK", "KeyStore", "KeysUnavailableError", "begin_anew"]

logger = logging.getLogger(__name__)

#: Seconds after which a process looks again at what the others have fetched.
LOOK: Final = 15
#: Seconds between two looks for what no look has found.
_GLANCE: Final = 1
#: Seconds that a request whose key is unknown waits for a look at the issuer's.
_PATIENCE: Final = 1.0


class KeysUnavailableError(Exception):
    """No usable keys; `retry_after` is in seconds."""

    def __init__(self, issuer: str, retry_after: int, reason: str) -> None:
        super().__init__(reason)
        self.issuer = issuer
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class _Held:
    """Keys that need no thought from `since` until `look_at`."""

    keys: KeySet
    since: float
    look_at: float


_NOTHING: Final = _Held(KeySet(()), math.inf, math.inf)


class KeyStore:
    """Keeps the key set of one issuer fresh."""

    def __init__(
        self,
        issuer: str,
        settings: IssuerSettings,
        clock: Callable[[], float] = time.time,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        self._issuer = issuer
        self._clock = clock
        self._renewal = Renewal(issuer, settings, clock, self._publish, proxies)
        self._courier = Courier(f"drf_apikit keys of {issuer}", self._renewal.run)
        self.begin_anew()
        _STORES.add(self)

    def keys(self) -> KeySet:
        """Give the keys, stale ones rather than none.

        Raises:
            KeysUnavailableError: there are none, and the issuer cannot be reached.

        """
        held = self._held
        if held.since <= self._clock() < held.look_at:
            return held.keys
        return self._held_on() or self._waited_for()

    def refreshed(self, kid: str | None) -> KeySet:
        """Give the keys after a look for a key id that is unknown, if one is due.

        The issuer may have rotated its keys. They are those of before where it has
        not, where it cannot be reached, and where that was asked for too often.

        Raises:
            KeysUnavailableError: there are none, or the look takes long: whoever sends
                unknown key ids must not hold the threads that others need.

        """
        self.keys()
        known, now = self._renewal, self._clock()
        is_spent = 0 <= now - known.spent_at < _GLANCE
        if not (self._has(kid) or known.vain.has(kid, now) or is_spent):
            patience = min(_PATIENCE, apikit_settings.authentication.fetch_timeout)
            wish = Wish(Need.KID, kid)
            if not self._wish(wish, lambda: self._has(kid), patience):
                reason = "the look for a key takes too long"
                raise KeysUnavailableError(self._issuer, 1, reason)
        return self.keys()

    def look(self) -> Entry | None:
        """Give what the shared level has, without a fetch; for commands."""
        self._wish(Wish(Need.LOOK), lambda: False)
        return self._renewal.entry

    def warm(self) -> Entry:
        """Fetch unless what the shared level has is fresh; for commands.

        Raises:
            KeysUnavailableError: there are no usable keys.

        """
        self._wish(Wish(Need.KEYS), lambda: False, _patience())
        entry = self._usable()
        if entry is None:
            raise self._unavailable()
        return entry

    def fetch(self) -> Entry:
        """Fetch now, whatever there is; for commands.

        Raises:
            KeysUnavailableError: the issuer cannot be reached.

        """
        former = self._renewal.entry
        self._wish(Wish(Need.FETCH), lambda: False, _patience())
        entry = self._renewal.entry
        if entry is None or entry is former or self._renewal.failure is not None:
            raise self._unavailable()
        return entry

    def settle(self, timeout: float) -> bool:
        """Wait until nothing is under way; False where that takes too long."""
        return self._courier.settle(timeout)

    def begin_anew(self) -> None:
        """Go on with what is known, in the child of a fork as well."""
        self._lock = threading.Lock()
        self._held = _NOTHING
        self._courier.begin_anew()
        self._renewal.begin_anew()

    def _held_on(self) -> KeySet | None:
        """Give the usable keys, and let the background see to them."""
        with self._lock:
            now, entry = self._clock(), self._usable()
            if entry is None:
                return None
            # Whoever comes next need not ask again.
            self._hold(entry, now)
        self._courier.ask(Wish(Need.KEYS))
        return entry.keys

    def _waited_for(self) -> KeySet:
        """Wait for keys where there are none."""
        known, now = self._renewal, self._clock()
        failed = known.failure is not None and known.failure.holds(now)
        if not failed or not 0 <= now - known.looked_at < _GLANCE:
            self._wish(Wish(Need.KEYS), lambda: self._usable() is not None)
        entry = self._usable()
        if entry is None:
            raise self._unavailable()
        return entry.keys

    def _wish(
        self, wish: Wish, until: Callable[[], bool], timeout: float | None = None
    ) -> bool:
        number = self._courier.ask(wish)
        if timeout is None:
            timeout = apikit_settings.authentication.fetch_timeout
        return self._courier.wait(number, until, timeout)

    def _publish(self, entry: Entry) -> None:
        with self._lock:
            self._hold(entry, self._clock())
        self._courier.tell()

    def _hold(self, entry: Entry, now: float) -> None:
        due = entry.fresh_until if entry.is_fresh(now) else entry.usable_until
        self._held = _Held(entry.keys, now - SKEW, min(now + LOOK, due))

    def _usable(self) -> Entry | None:
        entry = self._renewal.entry
        return entry if entry is not None and entry.is_usable(self._clock()) else None

    def _has(self, kid: str | None) -> bool:
        entry = self._renewal.entry
        return entry is not None and entry.has(kid)

    def _unavailable(self) -> KeysUnavailableError:
        failure, now = self._renewal.failure, self._clock()
        if failure is None or not failure.holds(now):
            return KeysUnavailableError(self._issuer, 1, "the fetch takes too long")
        wait = max(1, math.ceil(failure.until - now))
        return KeysUnavailableError(self._issuer, wait, failure.reason)


#: All that a child of a fork has to begin anew with.
_STORES: Final[weakref.WeakSet[KeyStore]] = weakref.WeakSet()


def begin_anew() -> None:
    """Let all stores of a process begin anew, which is the child of a fork."""
    for store in list(_STORES):
        store.begin_anew()


def _patience() -> float:
    """Give the seconds after which a command does not wait any longer."""
    return 5.0 * apikit_settings.authentication.fetch_timeout


os.register_at_fork(after_in_child=begin_anew)
