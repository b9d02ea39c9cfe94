"""Key stores as processes have them, and what they say."""

from typing import Any, Final

import pytest
from django.test import override_settings

from drf_apikit.conf import apikit_settings
from drf_apikit.jose import KeySet
from drf_apikit.oidc.jwks import KeyStore, KeysUnavailableError
from tests.oidc.provider import DISCOVERY, JWKS, Clock, Provider

__all__ = ["BOTH", "LIFETIME", "kids", "refusal", "store_of"]

#: The default of JWKS_LIFETIME.
LIFETIME: Final = 600
#: What one fetch asks for.
BOTH: Final = [DISCOVERY, JWKS]


def store_of(provider: Provider, clock: Clock, **members: Any) -> KeyStore:
    """Make a store as another process would."""
    entry = {**provider.settings, **members}
    issuers = {"AUTHENTICATION": {"ISSUERS": {provider.url: entry}}}
    with override_settings(DRF_APIKIT=issuers):
        parsed = apikit_settings.authentication.issuers[provider.url]
    return KeyStore(provider.url, parsed, clock)


def kids(keys: KeySet) -> list[str | None]:
    return [key.kid for key in keys.keys]


def refusal(store: KeyStore) -> KeysUnavailableError:
    with pytest.raises(KeysUnavailableError) as refused:
        store.keys()
    return refused.value
