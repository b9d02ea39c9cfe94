"""How the keys of one issuer are renewed; all of it runs in the background.

The shared level is looked at first. Whoever finds it stale takes the lock, looks
once more and fetches; the others go on with what they have, or wait where they have
nothing. A key id that nobody knows takes the same way, and is charged for.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from drf_apikit.conf import IssuerSettings, apikit_settings
from drf_apikit.counters import count
from drf_apikit.oidc.budget import Budget, VainSearches
from drf_apikit.oidc.entries import FORMAT, Entry, fetch_entry, load_entry
from drf_apikit.oidc.fetch import FetchError
from drf_apikit.oidc.sharing import Lock, LockState, SharedLevel
from drf_apikit.signals import key_rotated, keys_refreshed

__all__ = ["PAUSE", "VAIN", "Failure", "Need", "Renewal", "Wish"]

logger = logging.getLogger("drf_apikit.oidc")

#: Seconds between two attempts in an outage, of all processes together.
PAUSE: Final = 20
#: Seconds for which a key id that was not there is not looked for again.
VAIN: Final = 30


class Need(Enum):
    """What is wanted."""

    #: What the shared level has, and no more.
    LOOK = "look"
    #: Fresh keys.
    KEYS = "keys"
    #: A key id that is unknown.
    KID = "kid"
    #: A fetch, whatever there is.
    FETCH = "fetch"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants."""

    need: Need
    kid: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there was no fetch, and until when there is none."""

    reason: str
    at: float
    until: float

    def holds(self, now: float) -> bool:
        """Tell whether the next attempt is not due yet."""
        return self.at <= now < self.until


class Renewal:
    """The errand of one issuer. Others only read what its attributes say."""

    def __init__(
        self,
        issuer: str,
        settings: IssuerSettings,
        clock: Callable[[], float],
        publish: Callable[[Entry], None],
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        self._issuer, self._settings, self._proxies = issuer, settings, proxies
        self._clock, self._publish = clock, publish
        self._shared = SharedLevel(_name(issuer, settings.jwks_uri))
        self._text: str | None = None
        self._budget = Budget()
        self.vain = VainSearches()
        self.entry: Entry | None = None
        self.failure: Failure | None = None
        #: When the shared level was looked at, and when the budget was found empty.
        self.looked_at = self.spent_at = float("-inf")

    def begin_anew(self) -> None:
        """Go on with what is known, in the child of a fork as well."""
        self._shared.begin_anew()

    def run(self, wishes: Iterable[Wish]) -> None:
        """Do what is wanted, and what is due."""
        began = self._clock()
        needs = {wish.need for wish in wishes}
        kids = {wish.kid for wish in wishes if wish.need is Need.KID}
        with self._shared.session(began):
            self._adopt()
            self.looked_at = self._clock()
            if Need.FETCH in needs:
                self._fetch(Lock(LockState.NONE), anew=True)
            elif needs - {Need.LOOK} and not self._is_fresh() and self._renew():
                # Younger than all that is wanted.
                began = float("-inf")
            self._search(kids, began)

    def _renew(self) -> bool:
        """Fetch what is stale, unless another process does or has just failed.

        Tells whether there was a fetch, and it has succeeded.
        """
        failure, now = self.failure, self._clock()
        if failure is not None and failure.holds(now):
            return False
        is_usable = self.entry is not None and self.entry.is_usable(now)
        lock = self._queue(self._is_fresh, patient=not is_usable)
        if lock is None:
            return False
        if lock.state in {LockState.MINE, LockState.NONE}:
            return self._fetch(lock)
        if lock.state is LockState.FAILED or not is_usable:
            did = "fetches" if lock.state is LockState.BUSY else "has failed to fetch"
            told = f"another process {did} them"
            self.failure = Failure(told, self._clock(), lock.until)
        return False

    def _search(self, kids: set[str | None], began: float) -> None:
        """Look for key ids that nobody knows."""

        def is_settled() -> bool:
            """Tell whether they are there, or were not after this search began."""
            entry = self.entry
            return not missing() or (entry is not None and entry.fetched_at > began)

        def missing() -> set[str | None]:
            entry, now = self.entry, self._clock()
            return {
                kid
                for kid in kids
                if not (entry and entry.has(kid)) and not self.vain.has(kid, now)
            }

        seconds = self._look_for(is_settled)
        for kid in missing() if seconds else ():
            self.vain.add(kid, self._clock(), seconds)

    def _look_for(self, is_settled: Callable[[], bool]) -> int:
        """Give the seconds for which one need not look again; 0: it is not known."""
        if is_settled():
            return VAIN
        if self._budget.is_spent(self._clock()):
            self.spent_at = self._clock()
            return 0
        lock = self._queue(is_settled, patient=True)
        if lock is None:
            return VAIN
        if lock.state is LockState.BUSY:
            return 0
        if not self._budget.take(self._shared, self._clock()):
            self._shared.unlock(lock)
            self.spent_at = self._clock()
            return 0
        # In an outage a client that comes again must not spend all of it either.
        return VAIN if self._fetch(lock) else PAUSE

    def _queue(self, is_done: Callable[[], bool], *, patient: bool) -> Lock | None:
        """Get the lock, or None when another process has done what was wanted."""

        def looked() -> bool:
            self._adopt()
            return is_done()

        timeout = apikit_settings.authentication.fetch_timeout if patient else 0
        return self._shared.queue(looked, self._clock, _pause(), timeout)

    def _fetch(self, lock: Lock, *, anew: bool = False) -> bool:
        """Fetch and share; tell of success or failure.

        `anew`: from where the issuer says, whatever is remembered, or shared by
        somebody who should not.
        """
        former, now = self.entry, self._clock()
        known = None if anew else former
        stamp = now
        if former is not None and former.is_usable(now):
            # Younger than what it replaces, also where that came from a fast clock.
            stamp = max(now, former.fetched_at)
        try:
            found = fetch_entry(
                self._issuer, self._settings, known, stamp, self._proxies
            )
        except FetchError as error:
            self.failure = Failure(str(error), now, now + _pause())
            self._shared.fail(lock, self._clock())
            logger.warning("Cannot fetch the keys of %s: %s", self._issuer, error)
            count("authentication.keys_fetch_failed")
            return False
        entry = self._take(found)
        self._text = entry.dump()
        self._shared.write(self._text, entry.usable_until - now)
        self._shared.unlock(lock)
        self._tell(former, entry)
        return True

    def _tell(self, former: Entry | None, entry: Entry) -> None:
        count("authentication.keys_fetched")
        old, new = (former.keys if former else None), entry.keys
        if new.dropped and (old is None or old.dropped != new.dropped):
            for reason in new.dropped:
                logger.warning("Left out a key of %s: %s", self._issuer, reason)
        if not new.keys:
            logger.warning("%s has no usable key: no token is good", self._issuer)
        named = tuple(key.kid for key in new.keys)
        keys_refreshed.send_robust(
            sender=Renewal, issuer=self._issuer, key_ids=named, dropped=new.dropped
        )
        if old is None:
            return
        were = {key.thumbprint: key.kid for key in old.keys}
        are = {key.thumbprint: key.kid for key in new.keys}
        added = tuple(are[name] for name in are if name not in were)
        removed = tuple(were[name] for name in were if name not in are)
        if added or removed:
            count("authentication.keys_rotated")
            key_rotated.send_robust(
                sender=Renewal, issuer=self._issuer, added=added, removed=removed
            )

    def _adopt(self) -> None:
        """Take what another process has fetched, if it is newer than ours."""
        text, now = self._shared.read(), self._clock()
        if text is None or text == self._text:
            return
        try:
            found = load_entry(text, now)
        except ValueError as error:
            logger.warning("Shared keys cannot be read: %s", error)
            return
        mine = self.entry if self.entry and self.entry.is_usable(now) else None
        is_newer = mine is None or found.fetched_at >= mine.fetched_at
        if is_newer and found.is_usable(now):
            self._take(found)
            self._text = text

    def _take(self, found: Entry) -> Entry:
        """Go on with an entry, for all that ask from now on."""
        entry = found.like(self.entry)
        self.entry, self.failure = entry, None
        self._publish(entry)
        return entry

    def _is_fresh(self) -> bool:
        return self.entry is not None and self.entry.is_fresh(self._clock())


def _name(issuer: str, jwks_uri: str | None) -> str:
    """Name the shared keys of an issuer."""
    source = f"{issuer} {jwks_uri or ''}".encode()
    return f"drf_apikit:jwks:{FORMAT}:{hashlib.sha256(source).hexdigest()}"


def _pause() -> int:
    """Give the seconds between attempts: more than any of them takes."""
    # The keys, then the discovery document, then the keys from elsewhere.
    return max(PAUSE, 3 * apikit_settings.authentication.fetch_timeout + 2)
