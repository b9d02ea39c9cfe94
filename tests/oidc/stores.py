"""Key stores as processes have them, and what they say."""

from typing import Any, Final

import pytest
from django.test import override_settings

from drf_apikit.conf import apikit_settings
from drf_apikit.jose import KeySet
from drf_apikit.oidc.jwks import KeyStore, KeysUnavailableError
from tests.oidc.provider import DISCOVERY, JWKS, Clock, Provider

__all__ = [
    "BOTH",
    "LIFETIME",
    "STALE",
    "kids",
    "refusal",
    "renewed",
    "settled",
    "store_of",
]

#: The defaults of JWKS_LIFETIME and JWKS_STALE_LIFETIME.
LIFETIME: Final = 600
STALE: Final = 24 * 3600
#: What one fetch asks for.
BOTH: Final = [DISCOVERY, JWKS]
#: Seconds after which a test gives up.
_PATIENCE: Final = 30


def store_of(provider: Provider, clock: Clock, **members: Any) -> KeyStore:
    """Make a store as another process would."""
    entry = {**provider.settings, **members}
    issuers = {"AUTHENTICATION": {"ISSUERS": {provider.url: entry}}}
    with override_settings(DRF_APIKIT=issuers):
        parsed = apikit_settings.authentication.issuers[provider.url]
    store = KeyStore(provider.url, parsed, clock)
    provider.stores.append(store)
    return store


def kids(keys: KeySet) -> list[str | None]:
    return [key.kid for key in keys.keys]


def settled(store: KeyStore) -> KeyStore:
    """Give the store when nothing is under way."""
    assert store.settle(_PATIENCE)
    return store


def renewed(store: KeyStore) -> list[str | None]:
    """Give the key ids of the first request after one that found something due."""
    store.keys()
    return kids(settled(store).keys())


def refusal(store: KeyStore) -> KeysUnavailableError:
    with pytest.raises(KeysUnavailableError) as refused:
        store.keys()
    return refused.value
