"""Tokens with every fault that there is, signed all the same."""

import base64
import functools
import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import (
    Algorithm,
    ECAlgorithm,
    OKPAlgorithm,
    RSAAlgorithm,
    get_default_algorithms,
)

from drf_apikit.jose import KeySet, Policy, parse_key_set
from drf_apikit.jose.algorithms import ALGORITHMS
from drf_apikit.jose.claims import ClaimRules

__all__ = [
    "AUDIENCE",
    "CLAIMS",
    "HEADER",
    "ISSUER",
    "KEYS",
    "KEY_OF",
    "NOW",
    "POLICY",
    "RULES",
    "base64url",
    "mint",
    "private_key",
    "public_jwk",
    "sign",
]

NOW: Final = 1_800_000_000
ISSUER: Final = "https://issuer.test"
AUDIENCE: Final = "https://api.test"

HEADER: Final[Mapping[str, Any]] = {"alg": "ES256", "typ": "at+jwt", "kid": "P-256"}
CLAIMS: Final[Mapping[str, Any]] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "alice",
    "client_id": "shop",
    "iat": NOW - 10,
    "exp": NOW + 300,
    "jti": "id-1",
    "scope": "read",
}

#: The kind of key with which each algorithm is proved.
KEY_OF: Final[Mapping[str, str]] = {
    **{f"{family}{bits}": "RSA" for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}

_PRIMITIVES: Final[Mapping[str, Algorithm]] = {
    **get_default_algorithms(),
    "Ed25519": get_default_algorithms()["EdDSA"],
}


_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}
#: Exponent and size.
_RSA: Final[Mapping[str, tuple[int, int]]] = {
    "RSA": (65537, 2048),
    "RSA-1024": (65537, 1024),
    "RSA-e3": (3, 2048),
}


@functools.cache
def private_key(kind: str) -> Any:
    """Generate one key of a kind, once for the run; `other P-256` is another."""
    name = kind.removeprefix("other ")
    if name in _RSA:
        return rsa.generate_private_key(*_RSA[name])
    if name in _CURVES:
        return ec.generate_private_key(_CURVES[name])
    if name == "Ed448":
        return ed448.Ed448PrivateKey.generate()
    return ed25519.Ed25519PrivateKey.generate()


def public_jwk(kind: str, **members: Any) -> dict[str, Any]:
    """Give the public JWK of a kind of key; a member of None is left out."""
    jwk = {**_as_jwk(private_key(kind).public_key()), "kid": kind, **members}
    return {name: value for name, value in jwk.items() if value is not None}


def _as_jwk(key: Any) -> dict[str, Any]:
    match key:
        case rsa.RSAPublicKey():
            return RSAAlgorithm.to_jwk(key, as_dict=True)
        case ec.EllipticCurvePublicKey():
            return ECAlgorithm.to_jwk(key, as_dict=True)
        case _:
            return OKPAlgorithm.to_jwk(key, as_dict=True)


def base64url(raw: bytes) -> str:
    """Encode without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def sign(algorithm: str, kind: str, message: bytes) -> bytes:
    """Sign with PyJWT's primitive, whether or not the key fits."""
    return _PRIMITIVES[algorithm].sign(message, private_key(kind))


def mint(
    header: Mapping[str, Any] | bytes = HEADER,
    claims: Mapping[str, Any] | bytes = CLAIMS,
    *,
    algorithm: str = "ES256",
    kind: str = "P-256",
) -> str:
    """Sign a token; bytes are taken as they are. A member of None is left out."""
    signing_input = f"{_segment(header)}.{_segment(claims)}"
    signature = sign(algorithm, kind, signing_input.encode("ascii"))
    return f"{signing_input}.{base64url(signature)}"


def _segment(content: Mapping[str, Any] | bytes) -> str:
    if not isinstance(content, bytes):
        kept = {name: value for name, value in content.items() if value is not None}
        content = json.dumps(kept).encode("ascii")
    return base64url(content)


RULES: Final = ClaimRules(issuer=ISSUER, audiences=frozenset({AUDIENCE}))
POLICY: Final = Policy(RULES, ALGORITHMS)
KEYS: Final[KeySet] = parse_key_set(
    {"keys": [public_jwk(kind) for kind in sorted(set(KEY_OF.values()))]}
)
