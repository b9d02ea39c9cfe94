"""The keys that sign first-party tokens: next, active and retired."""

from drf_apikit.tokens.keyring.process import current_ring, forget, local_keys
from drf_apikit.tokens.keyring.ring import SigningRing
from drf_apikit.tokens.keyring.stored import Change, KeyRingError
from drf_apikit.tokens.keyring.timeline import KeyState, RingKey

__all__ = [
    "Change",
    "KeyRingError",
    "KeyState",
    "RingKey",
    "SigningRing",
    "current_ring",
    "forget",
    "local_keys",
]
