"""Public keys of clients that sign instead of knowing a secret (RFC 7523)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

__all__ = ["ALGORITHMS", "ClientKey", "ClientKeyError", "client_keys"]

#: By kind of key (RFC 7518 section 3.1, RFC 8037 section 3.1).
ALGORITHM_OF: Final = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("EC", "P-384"): "ES384",
    ("EC", "P-521"): "ES512",
    ("OKP", "Ed25519"): "EdDSA",
}
ALGORITHMS: Final = tuple(ALGORITHM_OF.values())
#: Members that only the client may know (RFC 7518 section 6).
PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
RSA_BITS: Final = 2048


class ClientKeyError(ValueError):
    """Keys that cannot be registered; its text says why."""


@dataclass(frozen=True)
class ClientKey:
    """A key with its name, if it has one, and the one algorithm that it is for."""

    key_id: str | None
    algorithm: str
    key: Any


def client_keys(jwks: Any) -> list[ClientKey]:
    """Read a JWK Set (RFC 7517 section 5). Raises ClientKeyError."""
    members = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(members, list) or not members:
        raise ClientKeyError("jwks must be an object with a list of keys.")
    keys = [_client_key(member) for member in members]
    names = [key.key_id for key in keys]
    if len(keys) > 1 and (None in names or len(set(names)) < len(names)):
        raise ClientKeyError("of several keys each must have a kid of its own.")
    return keys


def _client_key(jwk: Any) -> ClientKey:
    if not isinstance(jwk, Mapping) or PRIVATE & jwk.keys():
        raise ClientKeyError("each key must be an object with a public key alone.")
    algorithm = ALGORITHM_OF.get((str(jwk.get("kty")), jwk.get("crv")))
    if algorithm is None or jwk.get("alg", algorithm) != algorithm:
        raise ClientKeyError(f"keys must be for {', '.join(ALGORITHMS)}.")
    try:
        key = jwt.PyJWK(dict(jwk), algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise ClientKeyError("a key cannot be read.") from error
    if algorithm == "RS256" and key.key_size < RSA_BITS:
        raise ClientKeyError(f"RSA keys must have {RSA_BITS} bits.")
    return ClientKey(jwk.get("kid"), algorithm, key)
