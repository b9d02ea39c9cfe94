"""The signature algorithms that are accepted, and the keys they fit.

Primitives come from PyJWT. An algorithm is a property of the key, never the
free choice of a token (RFC 8725 section 3.1).
"""

from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import Algorithm, get_default_algorithms

__all__ = ["ALGORITHMS", "MIN_RSA_BITS", "algorithms_for", "verify_signature"]

#: RFC 7518 section 3.3.
MIN_RSA_BITS: Final = 2048
#: More is dear to verify, and nobody has it.
_MAX_RSA_BITS: Final = 8192
#: Smaller exponents are legal and a well-known source of trouble.
_MIN_RSA_EXPONENT: Final = 65537

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
#: RFC 7518 section 3.4: one curve for each algorithm.
_CURVES: Final[Mapping[str, str]] = {
    "secp256r1": "ES256",
    "secp384r1": "ES384",
    "secp521r1": "ES512",
}
#: One algorithm under two names (RFC 8037 section 3.1, RFC 9864 section 2.2).
_EDDSA = frozenset({"EdDSA", "Ed25519"})

#: Of the points of small order on its curve: the coordinate y, modulo the prime. Under
#: such a key one signature fits messages that nobody has signed.
_PRIME: Final = 2**255 - 19
_OF_ORDER_8: Final = 0x5FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDERS: Final = frozenset({0, 1, _PRIME - 1, _OF_ORDER_8, _PRIME - _OF_ORDER_8})

ALGORITHMS: Final = _RSA | frozenset(_CURVES.values()) | _EDDSA

_KNOWN: Final[Mapping[str, Algorithm]] = get_default_algorithms()
_PRIMITIVES: Final[Mapping[str, Algorithm]] = {
    name: _KNOWN["EdDSA" if name in _EDDSA else name] for name in ALGORITHMS
}


def algorithms_for(key: Any) -> frozenset[str]:
    """Name the algorithms that a public key fits; none for an unfit key."""
    match key:
        case rsa.RSAPublicKey():
            strong = MIN_RSA_BITS <= key.key_size <= _MAX_RSA_BITS
            exponent = key.public_numbers().e
            return _RSA if strong and exponent >= _MIN_RSA_EXPONENT else frozenset()
        case ec.EllipticCurvePublicKey():
            fitting = _CURVES.get(key.curve.name)
            return frozenset({fitting} if fitting else ())
        case ed25519.Ed25519PublicKey():
            return frozenset() if _has_small_order(key) else _EDDSA
        case _:
            return frozenset()


def verify_signature(
    algorithm: str, key: Any, message: bytes, signature: bytes
) -> bool:
    """Check one signature with the named algorithm of `ALGORITHMS`."""
    return _PRIMITIVES[algorithm].verify(message, key, signature)


def _has_small_order(key: ed25519.Ed25519PublicKey) -> bool:
    """RFC 8032 section 5.1.2: the lowest 255 bits are y, however they are written."""
    y = int.from_bytes(key.public_bytes_raw(), "little") % 2**255
    return y % _PRIME in _SMALL_ORDERS
