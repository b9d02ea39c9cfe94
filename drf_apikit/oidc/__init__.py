"""OpenID providers as this API sees them: issuers, discovery, keys."""

from drf_apikit.oidc.fetch import FetchError, fetch_json
from drf_apikit.oidc.issuers import Issuer, find_issuer, trusted_issuers
from drf_apikit.oidc.jwks import KeysUnavailableError
from drf_apikit.oidc.verified import VerifiedToken, verify_token

__all__ = [
    "FetchError",
    "Issuer",
    "KeysUnavailableError",
    "VerifiedToken",
    "fetch_json",
    "find_issuer",
    "trusted_issuers",
    "verify_token",
]
