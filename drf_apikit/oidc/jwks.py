"""The keys of one issuer: parsed in the process, shared in the cache, fetched.

While one request fetches, the others go on with the keys that there are; they
wait only where no key is usable, and a moment where theirs is unknown.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from django.core.cache import caches

from drf_apikit.conf import IssuerSettings, apikit_settings
from drf_apikit.counters import count
from drf_apikit.jose import KeySet, KeySetError, parse_key_set
from drf_apikit.oidc.discovery import discover
from drf_apikit.oidc.fetch import FetchError, fetch_json

__all__ = ["KeyStore", "KeysUnavailableError"]

logger = logging.getLogger(__name__)

#: Seconds between two attempts of the same cause, so that neither an outage nor
#: a flood of unknown key ids turns into a flood of fetches.
PAUSE: Final = 20
#: Seconds that a request whose key is unknown waits for the fetch of another one.
PATIENCE: Final = 1
#: Seconds for which keys are used although the issuer cannot be reached.
HARD_LIMIT: Final = 24 * 60 * 60
_FORMAT: Final = 1

#: Causes of a fetch.
_STALE: Final = "stale"
_UNKNOWN: Final = "unknown"


class KeysUnavailableError(Exception):
    """No usable keys; `retry_after` is in seconds."""

    def __init__(self, issuer: str, retry_after: int, reason: str) -> None:
        super().__init__(reason)
        self.issuer = issuer
        self.retry_after = retry_after


class KeyStore:
    """Keeps the key set of one issuer fresh."""

    def __init__(
        self,
        issuer: str,
        settings: IssuerSettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._fetched_at = 0.0
        # Apart, so that a rotation is seen although keys have just been fetched.
        self._attempts = {_STALE: float("-inf"), _UNKNOWN: float("-inf")}

    def keys(self) -> KeySet:
        """Give the keys, stale ones rather than none.

        Raises:
            KeysUnavailableError: there are none, and the issuer cannot be reached.

        """
        settings = apikit_settings.authentication

        def fresh() -> KeySet | None:
            return self._younger_than(settings.jwks_lifetime)

        # No fetch takes longer than two: of the discovery document and of the keys.
        usable = self._younger_than(HARD_LIMIT) is not None
        wait = 0 if usable else 2 * settings.fetch_timeout
        return fresh() or self._renew(_STALE, wait, fresh)

    def refreshed(self, _kid: str | None = None) -> KeySet:
        """Give the keys after a look at the issuer's, if one is due.

        For a key id that is unknown: the issuer may have rotated its keys.
        """
        seen = self._fetched_at

        def newer() -> KeySet | None:
            return self._younger_than(PAUSE) if self._fetched_at > seen else None

        return self._renew(_UNKNOWN, PATIENCE, newer)

    def _younger_than(self, limit: float) -> KeySet | None:
        """Give the keys unless they are too old, as after a clock was set back."""
        age = self._clock() - self._fetched_at
        return self._keys if 0 <= age < limit else None

    def _renew(
        self, cause: str, wait: float, found: Callable[[], KeySet | None]
    ) -> KeySet:
        """Let one thread fetch, unless what is wanted is `found` meanwhile."""
        if not self._lock.acquire(timeout=wait):
            return self._usable("another thread is fetching")
        try:
            if found() is None:
                self._load_shared()
            keys = found()
            if keys is not None:
                return keys
            if 0 <= self._clock() - self._attempts[cause] < PAUSE:
                return self._usable("the last attempt is too recent")
            self._attempts[cause] = self._clock()
            return self._fetch()
        finally:
            self._lock.release()

    def _usable(self, reason: str) -> KeySet:
        if self._keys is not None and self._clock() - self._fetched_at < HARD_LIMIT:
            return self._keys
        passed = self._clock() - self._attempts[_STALE]
        wait = max(1, round(PAUSE - passed)) if 0 <= passed < PAUSE else 1
        raise KeysUnavailableError(self._issuer, wait, reason)

    def _fetch(self) -> KeySet:
        try:
            document = self._get(self._settings.jwks_uri or self._discovered())
            keys = parse_key_set(document)
        except (FetchError, KeySetError) as error:
            logger.warning("Cannot fetch the keys of %s: %s", self._issuer, error)
            count("authentication.keys_fetch_failed")
            return self._usable(str(error))
        self._keys, self._fetched_at = keys, self._clock()
        count("authentication.keys_fetched")
        for reason in keys.dropped:
            logger.warning("Left out a key of %s: %s", self._issuer, reason)
        self._save_shared(document)
        return keys

    def _discovered(self) -> str:
        return str(discover(self._issuer, self._get)["jwks_uri"])

    def _get(self, url: str) -> Any:
        return fetch_json(
            url,
            timeout=apikit_settings.authentication.fetch_timeout,
            allow_loopback_http=self._settings.insecure_loopback_http,
        )

    def _cache_key(self) -> str:
        source = f"{self._issuer} {self._settings.jwks_uri or ''}"
        return (
            f"drf_apikit.jwks.{_FORMAT}.{hashlib.sha256(source.encode()).hexdigest()}"
        )

    def _load_shared(self) -> None:
        """Take what another process has fetched, if it is newer than ours."""
        try:
            text = caches[apikit_settings.authentication.cache].get(self._cache_key())
            fetched_at, document = json.loads(text) if text else (0.0, None)
            # What comes from the future would count as fresh for too long.
            if self._fetched_at < fetched_at <= self._clock():
                self._keys, self._fetched_at = parse_key_set(document), fetched_at
        except Exception:
            # Whatever the cache does, this process can fetch by itself.
            logger.warning("Cannot read keys from the cache", exc_info=True)

    def _save_shared(self, document: Any) -> None:
        try:
            text = json.dumps([self._fetched_at, document])
            cache = caches[apikit_settings.authentication.cache]
            cache.set(self._cache_key(), text, HARD_LIMIT)
        except Exception:
            logger.warning("Cannot write keys to the cache", exc_info=True)
