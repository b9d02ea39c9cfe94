"""Discovery of an issuer's endpoints (OpenID Connect Discovery section 4)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from drf_apikit.oidc.fetch import FetchError

__all__ = ["discover"]

_PATH: Final = "/.well-known/openid-configuration"


def discover(issuer: str, fetch: Callable[[str], Any]) -> Mapping[str, Any]:
    """Fetch the metadata of an issuer and see that it is that issuer's.

    Raises:
        FetchError: no document, or one of another issuer (section 4.3).

    """
    document = fetch(issuer.removesuffix("/") + _PATH)
    if not isinstance(document, Mapping) or document.get("issuer") != issuer:
        raise FetchError(f"{issuer}: the discovery document names another issuer")
    if not isinstance(document.get("jwks_uri"), str):
        raise FetchError(f"{issuer}: the discovery document has no jwks_uri")
    return document
