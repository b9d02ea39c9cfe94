"""An issuer that lives in the test process and signs real tokens."""

import json
import time
import uuid
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

__all__ = ["InMemoryIssuer"]

_KID: Final = "test-key"


class InMemoryIssuer:
    """Signs RFC 9068 access tokens with a key of its own.

    `settings` is the entry for `AUTHENTICATION["ISSUERS"]`: the keys are given
    there, so nothing is fetched and nothing has to be mocked.
    """

    def __init__(
        self,
        issuer: str = "https://issuer.test",
        audience: str = "https://api.test",
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517 section 5)."""
        jwk = json.loads(ECAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**jwk, "kid": _KID, "alg": "ES256", "use": "sig"}]}

    @property
    def settings(self) -> dict[str, Any]:
        """The settings with which an API trusts this issuer."""
        return {"AUDIENCE": self.audience, "JWKS": self.jwks}

    def signed_token(
        self,
        sub: str = "subject",
        *,
        scope: str = "",
        client_id: str = "test-client",
        lifetime: int = 300,
        headers: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Sign a token; `lifetime` is in seconds.

        `headers` and further claims replace what would be there; a claim of
        None is left out.
        """
        now = int(time.time())
        payload = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": sub,
            "client_id": client_id,
            "scope": scope,
            "iat": now,
            "exp": now + lifetime,
            "jti": str(uuid.uuid4()),
            **claims,
        }
        return jwt.encode(
            {name: value for name, value in payload.items() if value is not None},
            self._key,
            algorithm="ES256",
            headers={"typ": "at+jwt", "kid": _KID, **(headers or {})},
        )

    def authorization(self, sub: str = "subject", **options: Any) -> str:
        """Give the value of an Authorization header with a new token."""
        return f"Bearer {self.signed_token(sub, **options)}"
