"""Tokens near to good ones: each layer changed where it hurts, and signed all the same.

Made up from a random generator: the same seed makes the same inputs.
"""

import copy
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from drf_apikit.jose import PROFILES, Policy
from drf_apikit.jose.algorithms import ALGORITHMS
from drf_apikit.jose.claims import ClaimRules
from tests.jose.minting import (
    AUDIENCE,
    CLAIMS,
    ISSUER,
    KEY_OF,
    NOW,
    base64url,
    public_jwk,
    sign,
)
from tests.jose.samples import SAMPLES, Sample
from tests.torture.token_oracles import Input

__all__ = ["JWKS", "make_input", "make_key_set"]

JWKS: Final[Sequence[Any]] = [public_jwk(kind) for kind in sorted(set(KEY_OF.values()))]
#: RSA signs slowly, and what is tried is the same with all of them.
_FAST: Final = ("ES256", "ES256", "EdDSA", "EdDSA", "Ed25519")
_SLOW: Final = tuple(sorted(set(KEY_OF) - set(_FAST)))
_LETTERS: Final = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.+/~\0\n é"
)

Edit = Callable[[random.Random, "_Draft"], None]


@dataclass(slots=True)
class _Draft:
    """A token that is not written yet."""

    header: dict[str, Any]
    claims: dict[str, Any]
    policy: Policy[ClaimRules]
    jwks: Sequence[Any] = field(default_factory=lambda: JWKS)
    algorithm: str = "ES256"
    kind: str = "P-256"
    #: Where the JSON text of a part is not what the members give.
    texts: dict[int, bytes] = field(default_factory=dict)
    signature: Callable[[bytes], bytes] | None = None
    is_good: bool = True

    def write(self) -> str:
        parts = [
            self.texts.get(place) or json.dumps(members).encode("ascii")
            for place, members in enumerate((self.header, self.claims))
        ]
        signing_input = ".".join(map(base64url, parts))
        message = signing_input.encode("ascii")
        make = self.signature or (lambda text: sign(self.algorithm, self.kind, text))
        return f"{signing_input}.{base64url(make(message))}"


def make_input(rng: random.Random) -> Input:
    """Make up a token with its keys and its policy."""
    draft = _draft(rng)
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        rng.choice(EDITS)(rng, draft)
    token = draft.write()
    if rng.random() < 0.1:
        token, before = _edited(rng, token), token
        draft.is_good &= token == before
    return Input(token, draft.jwks, draft.policy, draft.is_good)


def make_key_set(rng: random.Random) -> Any:
    """Make up a document in the place of a key set."""
    jwks: Any = [_broken_key(rng, rng.choice(JWKS)) for _ in range(rng.randrange(4))]
    if rng.random() < 0.1:
        jwks = rng.choice(VALUES)
    return {"keys": jwks} if rng.random() < 0.9 else rng.choice(VALUES)


# What drafts begin with.


def _draft(rng: random.Random) -> _Draft:
    """Begin with a good token of RFC 9068, or with a provider's sample."""
    if rng.random() < 0.5:
        rules = ClaimRules(ISSUER, frozenset({AUDIENCE}))
        draft = _Draft({"typ": "at+jwt"}, dict(CLAIMS), Policy(rules, ALGORITHMS))
    else:
        draft = _of_provider(rng.choice(SAMPLES))
    slow = rng.random() < 0.03
    draft.algorithm = rng.choice(_SLOW if slow else _FAST)
    draft.kind = KEY_OF[draft.algorithm]
    draft.header |= {"alg": draft.algorithm, "kid": draft.kind}
    return draft


def _of_provider(sample: Sample) -> _Draft:
    """Use a sample as it is, under the policy that its provider's API would have."""
    profile = PROFILES.get(sample.provider, PROFILES["rfc9068"])
    claims = copy.deepcopy(dict(sample.claims))
    audience = claims.get("aud", [])
    listed = [audience] if isinstance(audience, str) else audience
    rules = ClaimRules(
        issuer=claims.get("iss", ISSUER),
        audiences=frozenset(listed) or None,
        clients=None if listed else frozenset({str(sample.client)}),
        profile=profile,
    )
    header = {name: sample.header[name] for name in ("typ",) if name in sample.header}
    is_good = sample.kind == "access"
    return _Draft(header, claims, Policy(rules, ALGORITHMS), is_good=is_good)


# Values.

VALUES: Final[Sequence[Any]] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        10**30,
        -(10**30),
        1e300,
        "",
        "x",
        "\0",
        "x" * 300,
    ),
    *([], {}, [[]], [None], {"a": [{"b": None}]}, "\U0001f600", "a\u0301", "\ufeff"),
)
_TYPES: Final = (
    *("at+jwt", "AT+JWT", "application/at+jwt", "JWT", "jwt", "logout+jwt", "dpop+jwt"),
    *("at+jwt ", "application/application/at+jwt", "id+jwt", "text/jwt"),
)
_ALGS: Final = (*sorted(KEY_OF), "none", "None", "HS256", "es256", "RS1", "Ed448")
_KIDS: Final = (*KEY_OF.values(), "", "x", "../x", "x" * 256, "x" * 257, "other P-256")
_TEXTS: Final = (ISSUER, f"{ISSUER}/", AUDIENCE, [AUDIENCE], ["b", AUDIENCE], ["b"])
_NAMES: Final = ("shop", "alice", "web-shop", "x" * 255, "x" * 256, "a\0b", 7, "7")
_DATES: Final = (
    *(NOW, NOW - 30, NOW - 29, NOW - 31, NOW - 29.5, NOW + 30, NOW + 31, NOW + 0.25),
    *(0, 1, 253_402_300_799, 253_402_300_800, 1e9, 4e9, True, str(NOW), 1e-9, -1),
)
#: What each member may plausibly be.
_PARAMETERS: Final[Mapping[str, Sequence[Any]]] = {
    "alg": _ALGS,
    "typ": _TYPES,
    "kid": _KIDS,
    "crit": (["b64"], [], ["exp"]),
    "b64": (True, False),
    "zip": ("DEF",),
    "jwk": (public_jwk("other P-256"),),
    "jku": ("https://evil.test",),
    "x5c": (["MIIB"],),
    "cty": ("JWT",),
}
_CLAIMS: Final[Mapping[str, Sequence[Any]]] = {
    "iss": _TEXTS,
    "aud": _TEXTS,
    **dict.fromkeys(("sub", "client_id", "azp", "appid", "cid", "user_id"), _NAMES),
    **dict.fromkeys(("jti", "nonce", "acr", "name", "oid"), _NAMES),
    **dict.fromkeys(("exp", "iat", "nbf", "auth_time"), _DATES),
    "cnf": ({"jkt": "x"}, {}),
    "typ": ("Bearer", "ID", "Refresh", "Logout", "bearer"),
    "token_use": ("access", "id"),
    "token_type": ("access", "refresh", "sliding"),
    "scp": ("a b", ["a"]),
    "scope": ("a b", ["a"]),
    "roles": (["a"],),
    "idtyp": ("app", "user"),
    **dict.fromkeys(
        ("at_hash", "c_hash", "s_hash", "events", "htm", "htu", "ath"), _NAMES
    ),
}


def _value(rng: random.Random, plausible: Sequence[Any]) -> Any:
    return rng.choice(plausible if rng.random() < 0.7 else VALUES)


def _change(
    rng: random.Random, members: dict[str, Any], known: Mapping[str, Sequence[Any]]
) -> None:
    name = rng.choice(sorted(known))
    if rng.random() < 0.15 and members:
        members.pop(rng.choice(sorted(members)))
    else:
        members[name] = _value(rng, known[name])


# Edits of a draft.


def _harmless(rng: random.Random, draft: _Draft) -> None:
    """Add what nobody looks at."""
    members = rng.choice((draft.header, draft.claims))
    members[rng.choice(("x", "é", "\U0001f600", "x.y"))] = rng.choice(VALUES)


def _header(rng: random.Random, draft: _Draft) -> None:
    _change(rng, draft.header, _PARAMETERS)
    draft.is_good = False


def _claims(rng: random.Random, draft: _Draft) -> None:
    _change(rng, draft.claims, _CLAIMS)
    draft.is_good = False


def _algorithm(rng: random.Random, draft: _Draft) -> None:
    """Name an algorithm or a key that has not signed, or sign with another key."""
    draft.is_good = False
    match rng.randrange(4):
        case 0:
            draft.header["alg"] = rng.choice(_ALGS)
        case 1:
            draft.header["kid"] = rng.choice(_KIDS)
        case 2:
            draft.header.pop("kid", None)
        case _:
            draft.kind = f"other {KEY_OF[draft.algorithm]}"


def _text(rng: random.Random, draft: _Draft) -> None:
    """Write the JSON of one part in a way that parsers disagree about."""
    place = rng.randrange(2)
    members = (draft.header, draft.claims)[place]
    text = json.dumps(members).encode("ascii")
    name = json.dumps(rng.choice(sorted(members) or ["x"])).encode("ascii")
    more = rng.choice(
        (
            *(b"%b:1" % name, b"%b:null" % name, b'"x":{"a":1,"a":1}', b'"x":NaN'),
            *(b'"x":1e999', b'"x":-Infinity', b'"x":"\\ud800"', b'"x":"\xff"'),
            *(b'"x":' + b"[" * n + b"]" * n for n in (31, 32, 40, 2000)),
            *(b'"x":"\n"', b'"x":' + b"9" * 5000, b'"x":01', b'"x":1,', b'"x":.5'),
        )
    )
    draft.texts[place] = rng.choice(
        (
            *(text[:-1] + b"," + more + b"}",) * 4,
            *(b"\xef\xbb\xbf" + text, text + b"\0", text * 2, b"[%b]" % text),
            *(text.decode().encode("utf-16"), b"", text.replace(b'"', b"'"), b"null"),
        )
    )
    draft.is_good = False


def _spaces(rng: random.Random, draft: _Draft) -> None:
    """Write the JSON of the claims with other spaces, which is as good."""
    if not draft.texts:
        indent = rng.choice((None, 1, "\t"))
        draft.texts[1] = json.dumps(draft.claims, indent=indent).encode("ascii") + b"\n"


def _signature(rng: random.Random, draft: _Draft) -> None:
    """Put something else in the place of the signature."""
    algorithm, kind = draft.algorithm, draft.kind
    forge = rng.choice(FORGERIES)
    draft.signature = lambda text: forge(rng, text, sign(algorithm, kind, text))
    draft.is_good = False


def _by_secret(rng: random.Random, draft: _Draft) -> None:
    """Sign with what is public, as a secret."""
    draft.header["alg"] = rng.choice(("HS256", "HS384", "HS512"))
    digest = getattr(hashlib, draft.header["alg"].replace("HS", "sha"))
    secret = rng.choice((b"", b"secret", json.dumps(JWKS[0]).encode()))
    draft.signature = lambda text: hmac.digest(secret, text, digest)
    draft.is_good = False


def _keys(rng: random.Random, draft: _Draft) -> None:
    """Publish other keys."""
    jwks = [*draft.jwks]
    place = rng.randrange(len(jwks))
    broken = _broken_key(rng, jwks[place])
    if rng.random() < 0.3:
        jwks.insert(rng.randrange(len(jwks)), broken)
    else:
        jwks[place] = broken
    draft.jwks = jwks
    draft.is_good = False


def _policy(rng: random.Random, draft: _Draft) -> None:
    """Trust otherwise."""
    rules = draft.policy.claims
    changed = rng.choice(
        (
            {"leeway": rng.choice((0, 300))},
            {"max_lifetime": rng.choice((1, 290, 310, 10**6))},
            {"clients": frozenset({"shop", "web-shop"})},
            {"issuer": rng.choice((f"{rules.issuer}/", rules.issuer[:-1]))},
            {"audiences": frozenset({rng.choice(("b", AUDIENCE, f"{AUDIENCE}/"))})},
            {"profile": rng.choice(list(PROFILES.values()))},
        )
    )
    allowed = frozenset(rng.sample(sorted(ALGORITHMS), rng.choice((1, 10, 11))))
    draft.policy = Policy(replace(rules, **changed), allowed)
    draft.is_good = False


EDITS: Final[tuple[Edit, ...]] = (
    *(_harmless, _spaces),
    *(_header,) * 2,
    *(_claims,) * 4,
    *(_algorithm, _text, _signature, _by_secret, _keys, _policy),
)


def _broken_key(rng: random.Random, jwk: Any) -> Any:
    if not isinstance(jwk, dict) or rng.random() < 0.05:
        return rng.choice(VALUES)
    name = rng.choice(
        ("kty", "kid", "use", "key_ops", "alg", "crv", "x", "y", "n", "e")
    )
    plausible = {
        "kty": ("RSA", "EC", "OKP", "oct", "AKP"),
        "kid": _KIDS,
        "use": ("sig", "enc"),
        "key_ops": (
            ["verify"],
            ["sign"],
            ["encrypt", "verify"],
            "verify",
            [7, "verify"],
        ),
        "alg": _ALGS,
        "crv": ("P-256", "P-384", "P-521", "Ed25519", "X25519", "secp256k1"),
        "e": ("AQAB", "AQ", "Aw", "AQAA"),
    }.get(name, ("AAAA", "AQ", "!", "x" * 43))
    if rng.random() < 0.1:
        return {**jwk, rng.choice(("d", "k", "p")): "AAAA"}
    return {**jwk, name: _value(rng, plausible)}


# Signatures.

Forgery = Callable[[random.Random, bytes, bytes], bytes]


def _one_bit(rng: random.Random, _text: bytes, good: bytes) -> bytes:
    bit = rng.randrange(len(good) * 8)
    return (int.from_bytes(good, "big") ^ 1 << bit).to_bytes(len(good), "big")


def _of_another_length(rng: random.Random, _text: bytes, good: bytes) -> bytes:
    return rng.choice((b"", good[:-1], good + b"\0", b"\0" + good, good * 2, good[:32]))


def _constant(rng: random.Random, _text: bytes, good: bytes) -> bytes:
    return rng.choice((b"\0", b"\xff", b"\1")) * len(good)


def _rearranged(rng: random.Random, _text: bytes, good: bytes) -> bytes:
    half = len(good) // 2
    r, s = (int.from_bytes(part, "big") for part in (good[:half], good[half:]))
    der = encode_dss_signature(r, s)
    return rng.choice((good[half:] + good[:half], good[::-1], der))


def _of_less(_rng: random.Random, text: bytes, _good: bytes) -> bytes:
    return sign("ES256", "P-256", text[:-1])


FORGERIES: Final[tuple[Forgery, ...]] = (
    *(_one_bit, _of_another_length, _constant, _rearranged, _of_less),
)


# The written token.


def _edited(rng: random.Random, token: str) -> str:
    """Change the text of a token after it was signed."""
    at = rng.randrange(len(token))
    before, here, after = token[:at], token[at], token[at + 1 :]
    parts = token.split(".")
    rng.shuffle(parts)
    letter = rng.choice(_LETTERS)
    end = rng.choice(("=", "==", ".", ".AAAA", "\n", " "))
    return rng.choice(
        (
            *(before + letter + after, before + letter + here + after),
            *(before + after, before + here.swapcase() + after, token + end),
            # The bits at the end that nothing is encoded in.
            token[:-1] + rng.choice(_LETTERS[:64]),
            ".".join(parts),
        )
    )
