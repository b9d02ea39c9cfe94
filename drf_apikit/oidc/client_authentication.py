"""How a client shows at the provider who it is (OpenID Connect Core section 9)."""

import base64
import secrets
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus

from drf_apikit.jose.signing import SigningKey

__all__ = ["ASSERTION_LIFE", "METHODS", "ClientAuthentication"]

#: By their names in the provider's metadata (RFC 8414 section 2).
METHODS: Final = frozenset(
    {"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}
)
#: Seconds for which an assertion is good: it is used at once, and once.
ASSERTION_LIFE: Final = 60
#: RFC 7523 section 2.2.
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class ClientAuthentication:
    """One client and how it authenticates; `audience` is that of its assertions."""

    client_id: str
    method: str
    client_secret: str | None = field(default=None, repr=False)
    signing_key: SigningKey | None = None
    audience: str | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"{self.method!r} is no way for a client to authenticate")
        if self.method.startswith("client_secret") and not self.client_secret:
            raise ValueError(f"{self.method} needs a client secret")
        if self.method == "private_key_jwt" and not (
            self.signing_key and self.audience
        ):
            raise ValueError("private_key_jwt needs a private key and an audience")

    def apply(self, form: dict[str, str], headers: dict[str, str], now: float) -> None:
        """Add to a request what shows who sends it; `now` is seconds of the epoch."""
        if self.method == "client_secret_basic":
            headers["Authorization"] = self._basic()
            return
        form["client_id"] = self.client_id
        if self.method == "client_secret_post":
            form["client_secret"] = self.client_secret or ""
        elif self.signing_key is not None and self.method == "private_key_jwt":
            form["client_assertion_type"] = _ASSERTION_TYPE
            form["client_assertion"] = self._assertion(self.signing_key, now)

    def _basic(self) -> str:
        """RFC 6749 section 2.3.1: both parts are encoded as in forms first."""
        parts = (self.client_id, self.client_secret or "")
        pair = ":".join(quote_plus(part, safe="") for part in parts)
        return f"Basic {base64.b64encode(pair.encode('ascii')).decode('ascii')}"

    def _assertion(self, key: SigningKey, now: float) -> str:
        """RFC 7523 section 3: by us, about us, for this provider, for this once."""
        issued_at = int(now)
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.audience,
            "jti": secrets.token_urlsafe(24),
            "iat": issued_at,
            "exp": issued_at + ASSERTION_LIFE,
        }
        return key.sign(claims, typ="JWT")
