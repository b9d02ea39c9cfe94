"""Keys that a provider publishes: what must not be used, and what must not harm."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from drf_apikit.jose import Reason
from tests.authentication.attacks.cases import Case, Outcome, World
from tests.jose.minting import base64url, private_key, public_jwk
from tests.oidc.provider import DISCOVERY, JWKS, Provider, as_json, as_text

__all__ = ["KEY_CASES", "Arrange", "document", "publishing"]

_WEAK: Final = ("RFC 8725", "3.5")
_SUITED: Final = ("RFC 8725", "3.1")
_RSA: Final = ("RFC 7518", "3.3")
_USE: Final = ("RFC 7517", "4.2")
_OPS: Final = ("RFC 7517", "4.3")
_ALG: Final = ("RFC 7517", "4.4")
_KID: Final = ("RFC 7517", "4.5")
_SET: Final = ("RFC 7517", "5")
_SECRET: Final = ("RFC 7517", "9.2")
_UNKNOWN: Final = Reason.KEY_UNKNOWN
_UNFIT: Final = Reason.KEY_UNFIT

_OCT: Final = b"a secret of thirty-two characters"
_P256: Final = public_jwk("P-256")
_OTHER: Final = public_jwk("other P-256", kid="P-256")
#: The neutral element of Ed25519 as R, and nothing as S.
_NEUTRAL: Final = b"\1" + bytes(63)

Arrange = Callable[[Provider, World], None]


def publishing(*jwks: Any) -> Arrange:
    """Publish these keys."""
    return lambda provider, _: provider.publish(*jwks)


def document(content: Any) -> Arrange:
    """Serve something in the place of the key set; bytes are text as it is."""

    def arrange(provider: Provider, _: World) -> None:
        provider.answers[DISCOVERY] = as_json(provider.metadata())
        text = content if isinstance(content, str) else json.dumps(content)
        provider.answers[JWKS] = as_text(200, text)

    return arrange


def _case(
    name: str,
    expected: Outcome | Reason,
    spec: tuple[str, str],
    *jwks: Any,
    algorithm: str = "ES256",
    kind: str | None = None,
    kid: str | None = None,
) -> Case:
    """Sign with a key, under a set that may not be used for it."""
    header = {} if kid is None else {"kid": kid}

    def make(world: World) -> str:
        return world.token(header, {}, algorithm=algorithm, kind=kind)

    return Case(f"keys-{name}", make, expected, *spec, arrange=publishing(*jwks))


def _weak_rsa(name: str, kind: str) -> Case:
    return _case(
        name,
        _UNKNOWN,
        _RSA,
        public_jwk(kind),
        public_jwk("P-256"),
        algorithm="RS256",
        kind=kind,
        kid=kind,
    )


def _exponent_one(world: World) -> str:
    """Sign as anybody can where the exponent is 1: the signature is the padding."""
    header = world.header("RS256", kid="e1")
    # PKCS #1 of SHA-256 for 2048 bits, without the digest.
    prefix = bytes.fromhex("3031300d060960864801650304020105000420")

    def padded(text: bytes) -> bytes:
        digest = hashlib.sha256(text).digest()
        filler = b"\xff" * (256 - 3 - len(prefix) - len(digest))
        return b"\0\1" + filler + b"\0" + prefix + digest

    return world.forged(header, padded)


def _ed25519(x: bytes) -> dict[str, Any]:
    return public_jwk("Ed25519", x=base64url(x))


def _small_order(name: str, x: bytes) -> Case:
    """Forge under a key with which one signature fits one of a few messages."""
    key = ed25519.Ed25519PublicKey.from_public_bytes(x)

    def fits(token: str) -> bool:
        try:
            key.verify(_NEUTRAL, token.rpartition(".")[0].encode())
        except InvalidSignature:
            return False
        return True

    def make(world: World) -> str:
        header = world.header("EdDSA")
        tokens = (
            world.forged(header, lambda _: _NEUTRAL, jti=f"id-{number}")
            for number in range(200)
        )
        return next(filter(fits, tokens))

    arrange = publishing(_ed25519(x), public_jwk("P-256"))
    return Case(f"keys-ed25519-{name}", make, _UNKNOWN, *_WEAK, arrange=arrange)


def _secret(kind: str) -> str:
    numbers = private_key(kind).private_numbers()
    value: int = numbers.private_value if kind.startswith("P-") else numbers.d
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _by_oct(world: World) -> str:
    """Sign with the secret that the provider has published."""
    header = {**world.header(), "alg": "HS256", "kid": "secret"}
    return world.forged(header, lambda text: hmac.digest(_OCT, text, "sha256"))


KEY_CASES: Final = (
    _weak_rsa("rsa-1024", "RSA-1024"),
    _weak_rsa("rsa-exponent-3", "RSA-e3"),
    Case(
        "keys-rsa-exponent-1",
        _exponent_one,
        _UNKNOWN,
        *_WEAK,
        arrange=publishing(public_jwk("RSA", kid="e1", e="AQ"), _P256),
    ),
    _small_order("neutral", b"\1" + bytes(31)),
    _small_order("order-2", b"\xec" + b"\xff" * 30 + b"\x7f"),
    _small_order("order-4", bytes(32)),
    _small_order(
        "order-8",
        bytes.fromhex(
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
        ),
    ),
    _case("use-enc", _UNKNOWN, _USE, {**_P256, "use": "enc"}),
    _case("use-list", _UNKNOWN, _USE, {**_P256, "use": ["sig"]}),
    _case("ops-encrypt", _UNKNOWN, _OPS, {**_P256, "key_ops": ["encrypt"]}),
    _case("ops-sign", _UNKNOWN, _OPS, {**_P256, "key_ops": ["sign"]}),
    _case("ops-empty", _UNKNOWN, _OPS, {**_P256, "key_ops": []}),
    _case("ops-text", _UNKNOWN, _OPS, {**_P256, "key_ops": "verify"}),
    _case("alg-other", _UNFIT, _ALG, public_jwk("RSA", alg="RS512"), algorithm="RS256"),
    _case("alg-pss", _UNFIT, _ALG, public_jwk("RSA", alg="PS256"), algorithm="RS256"),
    _case(
        "alg-encryption",
        _UNKNOWN,
        _ALG,
        public_jwk("RSA", alg="RSA-OAEP"),
        algorithm="RS256",
    ),
    _case("alg-list", _UNKNOWN, _ALG, {**_P256, "alg": ["ES256"]}),
    _case("alg-of-another-curve", _UNKNOWN, _ALG, {**_P256, "alg": "ES384"}),
    _case(
        "secp256k1",
        _UNKNOWN,
        _SUITED,
        public_jwk("secp256k1", kid="P-256"),
        algorithm="ES256",
    ),
    _case("curve-of-another-size", _UNFIT, _SUITED, public_jwk("P-384", kid="P-256")),
    _case("curve-mislabelled", _UNKNOWN, _SUITED, {**_P256, "crv": "P-384"}),
    _case("off-the-curve", _UNKNOWN, _WEAK, {**_P256, "y": base64url(bytes(32))}),
    _case("at-infinity", _UNKNOWN, _WEAK, {**_P256, "x": "", "y": ""}),
    _case(
        "x25519", _UNKNOWN, _SUITED, public_jwk("Ed25519", crv="X25519", kid="P-256")
    ),
    Case(
        "keys-oct",
        _by_oct,
        Reason.ALGORITHM,
        *_SECRET,
        arrange=publishing(
            {"kty": "oct", "k": base64url(_OCT), "kid": "secret", "alg": "HS256"}, _P256
        ),
    ),
    Case(
        "keys-oct-allowed-by-nobody",
        lambda world: world.token({"kid": "secret"}),
        _UNKNOWN,
        *_SECRET,
        arrange=publishing({"kty": "oct", "k": base64url(_OCT), "kid": "secret"}),
    ),
    _case("private", _UNKNOWN, _SECRET, {**_P256, "d": _secret("P-256")}),
    _case(
        "private-rsa",
        _UNKNOWN,
        _SECRET,
        {**public_jwk("RSA"), "d": _secret("RSA")},
        algorithm="RS256",
    ),
    _case("kid-twice", _UNFIT, _KID, _P256, _OTHER),
    _case("kid-twice-and-ours-last", _UNFIT, _KID, _OTHER, _P256),
    _case("kid-number", _UNKNOWN, _KID, {**_P256, "kid": 256}),
    _case("kid-list", _UNKNOWN, _KID, {**_P256, "kid": ["P-256"]}),
    _case("kid-missing", _UNKNOWN, _KID, public_jwk("P-256", kid=None)),
    Case(
        "keys-no-kid-two-fit",
        lambda world: world.token({"kid": None}),
        _UNFIT,
        *_KID,
        arrange=publishing(_P256, public_jwk("other P-256")),
    ),
    Case(
        "keys-no-kid-none-fits",
        lambda world: world.token({"kid": None}),
        _UNFIT,
        *_KID,
        arrange=publishing(public_jwk("RSA"), public_jwk("P-384")),
    ),
    _case("empty", _UNKNOWN, _SET),
    _case("junk", _UNKNOWN, _SET, 7, None, [], "x", {}, {"kty": {}}),
    _case("of-another", Reason.SIGNATURE, _SET, _OTHER),
    _case(
        "10000-and-ours-last",
        _UNKNOWN,
        _SET,
        *[{"kty": "x", "n": n} for n in range(9_999)],
        _P256,
    ),
    *[
        Case(
            f"keys-set-{name}",
            lambda world: world.token(),
            Outcome.UNAVAILABLE,
            *_SET,
            arrange=document(content),
        )
        for name, content in (
            ("list", [_P256]),
            ("bare-key", _P256),
            ("keys-object", {"keys": {"P-256": _P256}}),
            ("keys-text", {"keys": json.dumps([_P256])}),
            ("keys-null", {"keys": None}),
            ("keys-missing", {}),
            ("null", None),
            ("text", json.dumps("keys")),
        )
    ],
)
