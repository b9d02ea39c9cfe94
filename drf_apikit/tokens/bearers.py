"""Who comes with a token of ours, however the request was authenticated."""

from typing import Any

from drf_apikit.conf import apikit_settings
from drf_apikit.tokens.backend import AccessTokenBackend

__all__ = ["first_party_claims"]


def first_party_claims(auth: Any) -> Any:
    """Give the verified claims of `request.auth`; None of anything but our tokens."""
    if isinstance(getattr(auth, "_token_backend", None), AccessTokenBackend):
        return auth.payload
    # `request.auth` of JWTBearerAuthentication, which is another block.
    issuer, claims = getattr(auth, "issuer", None), getattr(auth, "claims", None)
    is_ours = issuer is not None and issuer == apikit_settings.tokens.issuer
    return claims if is_ours else None
