"""The one ring of a process, which follows the settings."""

import os
import threading
from typing import Any, Final

from django.db.models.signals import post_migrate

from drf_apikit.conf import apikit_settings
from drf_apikit.jose import KeySet
from drf_apikit.oidc.issuers import KeySource
from drf_apikit.tokens.keyring.ring import SigningRing

__all__ = ["Process", "current_ring", "forget", "local_keys"]


class Process:
    """Makes a ring at its first use, and another one when the settings change."""

    def __init__(self) -> None:
        self.ring: SigningRing | None = None
        self.begin_anew()

    def begin_anew(self) -> None:
        """Go on with what is known; the child of a fork has none of our locks."""
        self._lock = threading.Lock()
        if self.ring is not None:
            self.ring.begin_anew()

    def current(self) -> SigningRing:
        """Give the ring for the settings of now."""
        settings, ring = apikit_settings.tokens, self.ring
        if ring is None or ring.settings is not settings:
            with self._lock:
                ring = self.ring
                if ring is None or ring.settings is not settings:
                    ring = self.ring = SigningRing(settings)
        return ring


class _LocalKeys:
    """The keys of whatever ring is current."""

    def keys(self) -> KeySet:
        """Give the keys."""
        return current_ring().keys()

    def refreshed(self, kid: str | None) -> KeySet:
        """Give the keys after a look for one that is unknown, if one is due."""
        return current_ring().refreshed(kid)


def current_ring() -> SigningRing:
    """Give the ring of this process, by the settings of now."""
    return _PROCESS.current()


def local_keys() -> KeySource:
    """Give the keys of this project to its own resource server.

    `KEY_SOURCE` of an issuer names this function: no request goes out for them.
    """
    return _LocalKeys()


def forget(**_: Any) -> None:
    """Read the keys anew at their next use, as when the tables have changed."""
    _PROCESS.ring = None


_PROCESS: Final = Process()
os.register_at_fork(after_in_child=_PROCESS.begin_anew)
post_migrate.connect(forget, dispatch_uid="drf_apikit.tokens.keyring")
