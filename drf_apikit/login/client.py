"""This project as a client of its provider: token requests that it proves to be its."""

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables

from drf_apikit.conf import LoginSettings
from drf_apikit.jose import KeySetError
from drf_apikit.jose.signing import SigningKey, load_signing_key
from drf_apikit.login.registration import Registration, registration
from drf_apikit.oidc.client_authentication import ClientAuthentication
from drf_apikit.oidc.id_tokens import IdTokenVerifier
from drf_apikit.oidc.metadata import ProviderMetadata, metadata_of
from drf_apikit.oidc.token_endpoint import (
    ProviderUnavailableError,
    TokenAnswer,
    request_tokens,
    revoke,
)

__all__ = ["id_token_verifier", "metadata", "revoke_token", "token_request"]

_KEY: Final = "private_key_jwt"
#: Those with a secret, the best first (RFC 6749 section 2.3.1).
_WITH_SECRET: Final = ("client_secret_basic", "client_secret_post")


def metadata(client: Registration) -> ProviderMetadata:
    """Give what the provider says of itself.

    Raises:
        ProviderUnavailableError: it cannot be asked.

    """
    return metadata_of(client.issuer, **_options(client))


@sensitive_variables()
def token_request(client: Registration, form: Mapping[str, str]) -> TokenAnswer:
    """Ask the token endpoint.

    Raises:
        ProviderError: it has nothing for that, or cannot be asked.

    """
    endpoint = client.token_endpoint or metadata(client).token_endpoint
    return request_tokens(
        endpoint, form, _authentication(client), now=time.time(), **_options(client)
    )


@sensitive_variables()
def revoke_token(token: str) -> None:
    """Ask the provider to forget a token (RFC 7009), if it can be asked."""
    client = registration()
    try:
        endpoint = metadata(client).revocation_endpoint
    except ProviderUnavailableError:
        return
    if endpoint is not None:
        revoke(
            endpoint,
            token,
            _authentication(client),
            now=time.time(),
            **_options(client),
        )


def id_token_verifier(client: Registration) -> IdTokenVerifier:
    """Say what ID tokens have to be like."""
    return IdTokenVerifier(
        issuer=client.issuer,
        client_id=client.client_id,
        algorithms=client.algorithms,
        leeway=client.settings.leeway,
        max_age=client.settings.max_age,
        jwks_uri=client.jwks_uri,
        allow_loopback_http=client.settings.insecure_loopback_http,
        proxies=client.proxies,
    )


def _authentication(client: Registration) -> ClientAuthentication:
    settings = client.settings
    method = settings.client_auth_method or _method(client)
    return ClientAuthentication(
        client.client_id,
        method,
        client.client_secret,
        _signing_key(settings) if method == _KEY else None,
        settings.assertion_audience or client.issuer,
    )


def _method(client: Registration) -> str:
    """Choose what the project has the means for, as the provider can take it."""
    if client.client_secret is None:
        return "none" if client.settings.private_key is None else _KEY
    if client.use_basic_auth is not None:
        return _WITH_SECRET[0 if client.use_basic_auth else 1]
    try:
        known = metadata(client).token_endpoint_auth_methods
    except ProviderUnavailableError:
        known = frozenset()
    return next((each for each in _WITH_SECRET if each in known), _WITH_SECRET[0])


def _signing_key(settings: LoginSettings) -> SigningKey:
    """Load the key.

    Raises:
        ImproperlyConfigured: it cannot be used.

    """
    try:
        return _loaded(str(settings.private_key), settings.private_key_id)
    except KeySetError as error:
        told = str(error)
    raise ImproperlyConfigured(f"DRF_APIKIT['LOGIN']['PRIVATE_KEY']: {told}.")


@lru_cache(maxsize=4)
@sensitive_variables()
def _loaded(pem: str, kid: str | None) -> SigningKey:
    return load_signing_key(pem, kid)


def _options(client: Registration) -> dict[str, Any]:
    return {
        "timeout": client.timeout,
        "proxies": client.proxies,
        "allow_loopback_http": client.settings.insecure_loopback_http,
    }
