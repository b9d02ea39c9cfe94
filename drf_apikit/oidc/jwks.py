"""The keys of one issuer: parsed in the process, shared in the cache, fetched.

A request waits for a fetch only if there is no usable key at all.
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
from drf_apikit.jose import KeySet, KeySetError, parse_key_set
from drf_apikit.oidc.discovery import discover
from drf_apikit.oidc.fetch import FetchError, fetch_json

__all__ = ["KeyStore", "KeysUnavailableError"]

logger = logging.getLogger(__name__)

#: Seconds between two attempts, so that neither an outage nor a flood of
#: unknown key ids turns into a flood of fetches.
PAUSE: Final = 20
#: Seconds for which keys are used although the issuer cannot be reached.
HARD_LIMIT: Final = 24 * 60 * 60
_FORMAT: Final = 1


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
        self._attempted_at = float("-inf")

    def keys(self) -> KeySet:
        """Give the keys, stale ones rather than none.

        Raises:
            KeysUnavailableError: there are none, and the issuer cannot be reached.

        """
        lifetime = apikit_settings.authentication.jwks_lifetime
        if self._keys is not None and self._age() < lifetime:
            return self._keys
        return self._renew(lambda: self._age() < lifetime, shared_age=lifetime)

    def refreshed(self) -> KeySet:
        """Give the keys after a look at the issuer's, if one is due.

        For a key id that is unknown: the issuer may have rotated its keys.
        """
        seen = self._fetched_at
        return self._renew(lambda: self._fetched_at > seen, shared_age=0)

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _renew(self, done: Callable[[], bool], shared_age: float) -> KeySet:
        """Let one thread fetch; the others go on with what there is."""
        if not self._lock.acquire(blocking=self._keys is None):
            return self._usable("another thread is fetching")
        try:
            if self._keys is not None and done():
                return self._keys
            self._load_shared(shared_age)
            if self._keys is not None and done():
                return self._keys
            if self._clock() - self._attempted_at < PAUSE:
                return self._usable("the last attempt is too recent")
            self._attempted_at = self._clock()
            return self._fetch()
        finally:
            self._lock.release()

    def _usable(self, reason: str) -> KeySet:
        if self._keys is None or self._age() > HARD_LIMIT:
            passed = self._clock() - self._attempted_at
            wait = max(1, round(PAUSE - passed)) if passed < PAUSE else 1
            raise KeysUnavailableError(self._issuer, wait, reason)
        return self._keys

    def _fetch(self) -> KeySet:
        try:
            document = self._get(self._settings.jwks_uri or self._discovered())
            keys = parse_key_set(document)
        except (FetchError, KeySetError) as error:
            logger.warning("Cannot fetch the keys of %s: %s", self._issuer, error)
            return self._usable(str(error))
        self._keys, self._fetched_at = keys, self._clock()
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

    def _load_shared(self, max_age: float) -> None:
        """Take what another process has fetched, if it is newer than ours."""
        try:
            text = caches[apikit_settings.authentication.cache].get(self._cache_key())
            fetched_at, document = json.loads(text) if text else (0.0, None)
            newer = fetched_at > self._fetched_at
            if newer and (not max_age or self._clock() - fetched_at < max_age):
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
