"""Discovery of an issuer's endpoints (OpenID Connect Discovery section 4)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from drf_apikit.oidc.fetch import FetchError

__all__ = ["configuration_url", "discover", "keys_url"]

_PATH: Final = "/.well-known/openid-configuration"


def configuration_url(issuer: str) -> str:
    """Give the address of an issuer's metadata (section 4.1)."""
    return issuer.removesuffix("/") + _PATH


def discover(issuer: str, fetch: Callable[[str], Any]) -> Mapping[str, Any]:
    """Fetch the metadata of an issuer and see that it is that issuer's.

    Raises:
        FetchError: no document, or one of another issuer (section 4.3).

    """
    document = fetch(configuration_url(issuer))
    if not isinstance(document, Mapping) or document.get("issuer") != issuer:
        raise FetchError(f"{issuer}: the discovery document names another issuer")
    return document


def keys_url(issuer: str, document: Mapping[str, Any]) -> str:
    """Give the address of an issuer's keys.

    Not all have one: a provider may sign nothing (RFC 8414 section 2).

    Raises:
        FetchError: the document of the issuer has none.

    """
    url = document.get("jwks_uri")
    if not isinstance(url, str):
        raise FetchError(f"{issuer}: the discovery document has no jwks_uri")
    return url
