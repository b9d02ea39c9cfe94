"""The keys of this project, as a process has them."""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from django.db import Error, connections, transaction

from drf_apikit.conf import TokensSettings
from drf_apikit.jose import KeySet
from drf_apikit.jose.signing import SigningKey
from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.tokens.keyring import looks, rows, snapshots
from drf_apikit.tokens.keyring.given import GivenKeys
from drf_apikit.tokens.keyring.looks import GLANCE, LOOK
from drf_apikit.tokens.keyring.material import KeyMaterialError
from drf_apikit.tokens.keyring.reports import Faults, announce
from drf_apikit.tokens.keyring.stored import Change, KeyRingError, StoredKeys
from drf_apikit.tokens.keyring.timeline import Key, Phase, RingKey, entries, phase_at

__all__ = ["SigningRing"]

logger = logging.getLogger(__name__)

#: Seconds that a request waits for another one, and for a key id that may be made up.
_PATIENCE: Final = 5.0
_BRIEFLY: Final = 0.5

T = TypeVar("T")


class SigningRing:
    """Signs with one key, verifies with several, and follows what others change.

    Where a key of the settings that is not dead cannot be read, the others verify as
    ever. Nobody is refused for a key that is not among these, since it may be that
    one, and nothing is published: others would keep a set that lacks it.
    """

    def __init__(
        self, settings: TokensSettings, clock: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._stored = None if settings.keys else StoredKeys(settings)
        self._source = self._stored or GivenKeys(settings)
        self._held: looks.Held | None = None
        self._failed_at = self._cared_at = -math.inf
        self._faults, self._looks = Faults(), looks.Allowance()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Go on with what is known; the child of a fork has none of our locks."""
        self._looking, self._making = threading.Lock(), threading.Lock()

    def keys(self) -> KeySet:
        """Give the keys that verify; none before the first one is made.

        Raises:
            KeysUnavailableError: nothing is known, and none can be asked for or read.

        """
        keys = self._phase().keys
        return keys if keys.keys else self._whole(keys)

    def refreshed(self, kid: str | None) -> KeySet:
        """Give the keys after a look for one that is unknown, if one is due.

        Raises:
            KeysUnavailableError: as for `keys`, or there is a key that cannot be read.

        """
        keys = self._phase().keys
        if looks.has(keys, kid):
            return keys
        seen = self._held and self._held.keys
        # Whoever looks just now may find it: nobody is refused for that.
        lock = self._looking
        if lock.acquire(timeout=_BRIEFLY):
            try:
                now, held = self._clock(), self._held
                # Another thread may have looked meanwhile: what it saw will do.
                if held is not None and held.keys is seen and self._looks.take(now):
                    self._read(now, held)
            finally:
                lock.release()
        keys = self._phase().keys
        return keys if looks.has(keys, kid) else self._whole(keys)

    def signing_key(self) -> SigningKey:
        """Give the key that signs now; the first one is made at its first use.

        Whoever signs keeps the schedule, so that nothing else has to run.

        Raises:
            KeysUnavailableError: there is none, or it cannot be had.

        """
        phase = self._begun()
        stored, now = self._stored, self._clock()
        if stored and stored.needs_care(phase, now):
            self._care(stored, now)
            phase = self._begun()
        if phase.active is None:
            raise self._unavailable("no key of KEYS in the section TOKENS signs now")
        return self._signer(phase.active)

    def published(self) -> tuple[Mapping[str, Any], ...]:
        """Give the public keys that verify, or are going to (RFC 7517 section 4).

        Raises:
            KeysUnavailableError: as for `signing_key`, or one of them cannot be read.

        """
        return self._whole(self._begun().jwks)

    def entries(self) -> tuple[RingKey, ...]:
        """Tell of all keys, those that are dead as well, as they are by now.

        Raises:
            KeysUnavailableError: the database cannot be asked.

        """
        return entries(self._asked(self._source.read), self._clock())

    def rotate(self, now: bool = False, if_due: bool = False) -> Change:
        """Make the next key, which signs after `PUBLICATION_LEAD`, or `now`.

        `now` has a next one sign at once. `if_due`: if the schedule wants it.

        Raises:
            KeyRingError: the keys are those of the settings.
            KeysUnavailableError: the database cannot be asked.

        """
        stored, moment = self._changeable("add one with ACTIVE_FROM"), self._clock()
        return self._changed(lambda: stored.rotate(moment, at_once=now, if_due=if_due))

    def retire(self, kid: str) -> Change:
        """End a key in an emergency: what it has signed is refused from now on.

        Where it is the one that signs, another one does at once.

        Raises:
            KeyRingError: there is no such key alive, or it is one of the settings.
            KeysUnavailableError: the database cannot be asked.

        """
        stored, moment = self._changeable("give it DEAD_FROM"), self._clock()
        return self._changed(lambda: stored.retire(kid, moment))

    def _phase(self) -> Phase:
        now, held = self._clock(), self._held
        if self._is_apart():
            return phase_at(self._asked(self._source.read), now)
        if held is None or not held.since <= now < held.look_at:
            held = self._look(now, held)
        if held.phase.since <= now < held.phase.until:
            return held.phase
        return self._moved_on(now, held)

    def _whole(self, keys: T) -> T:
        """Give them, unless they lack one that cannot be read."""
        held = self._held
        if held and (fault := looks.lacking(held.keys, self._clock())):
            raise self._unavailable(fault, LOOK)
        return keys

    def _moved_on(self, now: float, held: looks.Held) -> Phase:
        """Give what holds now; a look of another thread is not forgotten over it."""
        phase, lock = phase_at(held.keys, now), self._looking
        if lock.acquire(blocking=False):
            if self._held is held:
                self._held = replace(held, phase=phase)
            lock.release()
        return phase

    def _look(self, now: float, known: looks.Held | None) -> looks.Held:
        """Read the keys, unless another thread does: what is known does till then."""
        if known is None and 0 <= now - self._failed_at < GLANCE:
            raise self._unavailable("the database cannot be asked")
        lock = self._looking
        if not lock.acquire(timeout=_PATIENCE if known is None else 0):
            if known is None:
                raise self._unavailable("reading the keys takes too long")
            return known
        try:
            held = self._held
            return self._read(now, held) if held is known or held is None else held
        finally:
            lock.release()

    def _read(self, now: float, known: looks.Held | None) -> looks.Held:
        try:
            keys = self._asked(self._source.read)
        except (Error, KeysUnavailableError) as error:
            if known is None:
                self._failed_at = now
                raise
            logger.warning("Going on with the keys that are known: %s", error)
            pause = LOOK if isinstance(error, KeysUnavailableError) else GLANCE
            held = replace(known, since=now, look_at=now + pause)
        else:
            self._faults.tell(key.fault for key in keys)
            # The same object for as long as nothing changes: others compare it.
            is_same = known is not None and known.keys == keys
            phase = known.phase if known and is_same else phase_at(keys, now)
            pause = GLANCE if looks.lacking(keys, now) else LOOK
            held = looks.Held(keys, phase, now, now + pause)
        if not self._is_apart():
            self._held = held
        return held

    def _begun(self) -> Phase:
        """Give what holds now, with a key that signs if one can be made."""
        phase, stored = self._phase(), self._stored
        if phase.active is not None or stored is None:
            return phase
        making = self._making
        if not making.acquire(timeout=_PATIENCE):
            raise self._unavailable("making the first key takes too long")
        try:
            phase, now = self._phase(), self._clock()
            if phase.active is None:
                # Another process may have made it: then only the schedule counts.
                self._changed(lambda: stored.rotate(now, at_once=False, if_due=True))
                phase = self._phase()
        except KeyRingError as error:
            raise self._unavailable(str(error)) from error
        finally:
            making.release()
        return phase

    def _care(self, stored: StoredKeys, now: float) -> None:
        """Do what the schedule wants, after the transaction; it may fail."""
        making = self._making
        if 0 <= now - self._cared_at < LOOK or not making.acquire(blocking=False):
            return
        self._cared_at = now
        try:
            if connections[rows.alias()].in_atomic_block:
                transaction.on_commit(lambda: self._cared(stored), using=rows.alias())
            else:
                self._cared(stored)
        finally:
            making.release()

    def _cared(self, stored: StoredKeys) -> None:
        try:
            self._changed(lambda: stored.care(self._phase(), self._clock()))
        except (Error, KeyRingError, KeysUnavailableError) as error:
            logger.warning("The schedule of the signing keys has to wait: %s", error)

    def _changed(self, change: Callable[[], Change]) -> Change:
        """Make a change, and look at what has come of it, once it holds."""
        if not self._asked(lambda: snapshots.can_commit(rows.alias())):
            raise KeyRingError(snapshots.NO_COMMIT)
        made = self._asked(change)
        snapshots.at_commit(lambda: self._committed(made), rows.alias())
        if not self._is_apart():
            with self._looking:
                self._read(self._clock(), self._held)
        return made

    def _committed(self, change: Change) -> None:
        with self._looking:
            self._held = self._held and replace(self._held, look_at=-math.inf)
        announce(change)

    def _is_apart(self) -> bool:
        """Tell a thread whose transaction has changed the keys: it alone has those."""
        return self._stored is not None and snapshots.has_changes(rows.alias())

    def _signer(self, active: Key) -> SigningKey:
        try:
            return self._source.signer(active)
        except KeyMaterialError as error:
            told = str(error)
        self._faults.tell([told])
        raise self._unavailable(told, LOOK)

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except Error as error:
            if reason := self._faults.reason(error):
                raise self._unavailable(reason) from error
            raise

    def _changeable(self, remedy: str) -> StoredKeys:
        if self._stored is None:
            raise KeyRingError(f"The keys are in KEYS of the section TOKENS: {remedy}.")
        return self._stored

    def _unavailable(self, reason: str, retry_after: int = 1) -> KeysUnavailableError:
        return KeysUnavailableError(self.settings.issuer or "", retry_after, reason)
