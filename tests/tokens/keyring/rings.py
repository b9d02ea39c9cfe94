"""Rings whose clock goes when it is told to, and what is known of them."""

from typing import Any, Final

from drf_apikit.conf import apikit_settings
from drf_apikit.tokens.keyring import SigningRing
from tests.oidc.provider import Clock

__all__ = ["DAY", "HOUR", "NOW", "TOKENS", "kids", "ring_of", "states"]

NOW: Final = 1_800_000_000
HOUR: Final = 3600
DAY: Final = 24 * HOUR
TOKENS: Final[dict[str, Any]] = {
    "ISSUER": "https://shop.test",
    "AUDIENCE": "https://shop.test/api",
    # Such keys are made in no time.
    "ALGORITHM": "ES256",
}


def ring_of(settings: Any, clock: Clock, **section: Any) -> SigningRing:
    """Make the ring of another process."""
    settings.DRF_APIKIT = {**settings.DRF_APIKIT, "TOKENS": {**TOKENS, **section}}
    return SigningRing(apikit_settings.tokens, clock)


def states(ring: SigningRing) -> list[str]:
    """Give the states of all keys, the newest last."""
    return [entry.state.value for entry in ring.entries()]


def kids(ring: SigningRing) -> list[str | None]:
    """Name the keys that verify."""
    return [key.kid for key in ring.keys().keys]
