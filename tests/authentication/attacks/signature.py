"""Signatures of the attacker's own making."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drf_apikit.jose import Reason
from tests.authentication.attacks.cases import Case, World
from tests.jose.minting import private_key, public_jwk, sign

__all__ = ["SIGNATURE_CASES"]

_CONFUSION: Final = ("RFC 8725", "2.1")
_VALIDATE: Final = ("RFC 7515", "5.2")
_ECDSA: Final = ("RFC 7518", "3.4")
_EDDSA: Final = ("RFC 8032", "5.1.7")
#: The orders of the groups of P-256 and of Ed25519.
_N: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_L: Final = 2**252 + 27742317777372353535851937790883648493


def _pem() -> bytes:
    return _public(Encoding.PEM)


def _public(encoding: Encoding) -> bytes:
    key = private_key("RSA").public_key()
    return bytes(key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo))


#: What the public knows, as a secret for HMAC.
_SECRETS: Final[dict[str, Callable[[], bytes]]] = {
    "pem": _pem,
    "pem-stripped": lambda: _pem().strip(),
    "der": lambda: _public(Encoding.DER),
    "jwk-text": lambda: json.dumps(public_jwk("RSA")).encode(),
    "jwks-text": lambda: json.dumps({"keys": [public_jwk("RSA")]}).encode(),
    "modulus": lambda: base64.urlsafe_b64decode(public_jwk("RSA")["n"] + "=="),
    "kid": lambda: b"RSA",
    "empty": bytes,
}


def _by_secret(name: str, algorithm: str) -> Case:
    def make(world: World) -> str:
        secret = _SECRETS[name]()
        digest = algorithm.replace("HS", "sha")
        header = {**world.header("RS256"), "alg": algorithm}
        return world.forged(header, lambda text: hmac.digest(secret, text, digest))

    return Case(f"{algorithm}-with-{name}", make, Reason.ALGORITHM, *_CONFUSION)


def _forged(
    name: str,
    algorithm: str,
    signature: Callable[[bytes], bytes],
    spec: tuple[str, str] = _VALIDATE,
) -> Case:
    """Put something else in the place of a signature."""

    def make(world: World) -> str:
        return world.forged(world.header(algorithm), signature)

    return Case(f"signature-{algorithm}-{name}", make, Reason.SIGNATURE, *spec)


def _pair(name: str, r: int, s: int) -> Case:
    both = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return _forged(name, "ES256", lambda _: both, _ECDSA)


def _ecdsa(text: bytes) -> tuple[int, int]:
    raw = sign("ES256", "P-256", text)
    return int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")


def _der(text: bytes) -> bytes:
    return encode_dss_signature(*_ecdsa(text))


def _beyond_the_order(text: bytes) -> bytes:
    """Add the order to S, which is the same number to a careless verifier."""
    raw = sign("EdDSA", "Ed25519", text)
    s = int.from_bytes(raw[32:], "little") + _L
    return raw[:32] + s.to_bytes(32, "little")


def _wider_halves(text: bytes) -> bytes:
    raw = sign("ES256", "P-256", text)
    return bytes(16) + raw[:32] + bytes(16) + raw[32:]


def _swapped(text: bytes) -> bytes:
    raw = sign("ES256", "P-256", text)
    return raw[32:] + raw[:32]


SIGNATURE_CASES: Final = (
    *[_by_secret(name, "HS256") for name in _SECRETS],
    _by_secret("pem", "HS384"),
    _by_secret("pem", "HS512"),
    _forged("missing", "ES256", lambda _: b""),
    _forged("missing", "RS256", lambda _: b""),
    _forged("missing", "EdDSA", lambda _: b""),
    _forged("zeros", "RS256", lambda _: bytes(256)),
    _forged("zeros", "PS256", lambda _: bytes(256)),
    _forged("one", "RS256", lambda _: bytes(255) + b"\1"),
    _forged("modulus", "RS256", lambda _: _SECRETS["modulus"]()),
    _forged("zeros", "EdDSA", lambda _: bytes(64)),
    # The neutral element and the one of order two as R, and nothing as S.
    _forged("small-order-1", "EdDSA", lambda _: b"\1" + bytes(63), _EDDSA),
    _forged(
        "small-order-2",
        "EdDSA",
        lambda _: b"\xec" + b"\xff" * 30 + b"\x7f" + bytes(32),
        _EDDSA,
    ),
    _forged("beyond-the-order", "EdDSA", _beyond_the_order, _EDDSA),
    _forged("beyond-the-order", "Ed25519", _beyond_the_order, _EDDSA),
    _pair("r-s-0", 0, 0),
    _pair("r-s-n", _N, _N),
    _pair("r-0", 0, 1),
    _pair("s-0", 1, 0),
    _pair("s-n", 1, _N),
    _pair("r-s-1", 1, 1),
    _pair("r-s-most", 2**256 - 1, 2**256 - 1),
    _forged("der", "ES256", _der, _ECDSA),
    _forged("halves-swapped", "ES256", _swapped, _ECDSA),
    _forged("halves-wider", "ES256", _wider_halves, _ECDSA),
    _forged("short", "ES256", lambda text: sign("ES256", "P-256", text)[:-1], _ECDSA),
    _forged("long", "ES256", lambda text: sign("ES256", "P-256", text) + b"\0", _ECDSA),
    _forged("of-nothing", "ES256", lambda _: sign("ES256", "P-256", b"")),
    _forged("of-another-key", "ES256", lambda t: sign("ES256", "other P-256", t)),
    _forged("of-another-key", "RS256", lambda t: sign("RS256", "other RSA", t)),
    _forged("of-another-key", "EdDSA", lambda t: sign("EdDSA", "other Ed25519", t)),
    _forged("of-the-payload", "ES256", lambda t: sign("ES256", "P-256", t[-20:])),
    _forged("twice", "ES256", lambda text: sign("ES256", "P-256", text) * 2, _ECDSA),
)
