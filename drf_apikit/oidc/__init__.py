"""OpenID providers as this API sees them: issuers, discovery, keys."""

from drf_apikit.oidc.fetch import FetchError, fetch_json
from drf_apikit.oidc.issuers import Issuer, find_issuer
from drf_apikit.oidc.jwks import KeysUnavailableError

__all__ = ["FetchError", "Issuer", "KeysUnavailableError", "fetch_json", "find_issuer"]
