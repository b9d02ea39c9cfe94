"""Signing with a private key of one's own, as a client does to show who it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from drf_apikit.jose.errors import KeySetError
from drf_apikit.jose.keys import parse_key_set

__all__ = ["SigningKey", "load_signing_key"]

#: Of several algorithms that a key fits, the one that every provider knows
#: (RFC 7518 section 3.1, RFC 8037 section 3.1).
_PREFERRED: Final = ("RS256", "ES256", "ES384", "ES512", "EdDSA")
#: Others, such as secp256k1, are nothing that a provider need know.
_CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, the one algorithm that it signs with, and its name."""

    private_key: Any = field(repr=False)
    algorithm: str
    kid: str

    def sign(self, claims: Mapping[str, Any], typ: str | None = None) -> str:
        """Write claims as a signed token in compact form (RFC 7515 section 7.1)."""
        headers = {"kid": self.kid, "typ": typ}
        return jwt.encode(dict(claims), self.private_key, self.algorithm, headers)

    def public_jwk(self) -> dict[str, Any]:
        """Write the public key as the provider is to know it (RFC 7517 section 4)."""
        named = {"kid": self.kid, "alg": self.algorithm, "use": "sig"}
        return {**_public_members(self.private_key), **named}


def load_signing_key(pem: str, kid: str | None = None) -> SigningKey:
    """Read a private key in PEM; `kid` is that of RFC 7638 if none is given.

    Raises:
        KeySetError: it is no such key, is encrypted, or is too weak; the text shows
            nothing of it.

    """
    private_key = _private_key(pem)
    # Reports of errors show what a function that raises has.
    del pem
    if private_key is None:
        raise KeySetError("no private key in PEM without a password")
    usable = parse_key_set({"keys": [_public_members(private_key)]})
    if not usable.keys:
        raise KeySetError("a private key that is too weak, or not for signatures")
    (key,) = usable.keys
    algorithm = next(name for name in _PREFERRED if name in key.algorithms)
    return SigningKey(private_key, algorithm, kid or key.thumbprint)


def _private_key(pem: str) -> Any:
    """Read a private key; None where it is no such thing."""
    try:
        return serialization.load_pem_private_key(pem.encode(), None)
    except (TypeError, UnsupportedAlgorithm, ValueError):
        # Of a key with a password it is TypeError.
        return None


def _public_members(private_key: Any) -> dict[str, Any]:
    """Give the members of the public key; none where it is of a kind unknown here."""
    match private_key:
        case rsa.RSAPrivateKey():
            members = RSAAlgorithm.to_jwk(private_key.public_key(), as_dict=True)
        case ec.EllipticCurvePrivateKey() if private_key.curve.name in _CURVES:
            members = ECAlgorithm.to_jwk(private_key.public_key(), as_dict=True)
        case ed25519.Ed25519PrivateKey():
            members = OKPAlgorithm.to_jwk(private_key.public_key(), as_dict=True)
        case _:
            return {}
    return {name: value for name, value in members.items() if name != "key_ops"}
