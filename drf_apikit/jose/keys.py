"""JSON Web Key Sets as sets of usable public keys (RFC 7517)."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from drf_apikit.jose.algorithms import algorithms_for
from drf_apikit.jose.errors import KeySetError, Reason, TokenError

__all__ = ["MAX_KEYS", "MAX_KID", "KeySet", "VerificationKey", "parse_key_set"]

#: Keys of one document that are looked at.
MAX_KEYS: Final = 100
#: Characters of a key id.
MAX_KID: Final = 256

_KINDS: Final[Mapping[str, Any]] = {
    "RSA": RSAAlgorithm,
    "EC": ECAlgorithm,
    "OKP": OKPAlgorithm,
}
#: RFC 7638 section 3.2 and RFC 8037 section 2: the members that make up a key.
_PUBLIC_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA": ("e", "kty", "n"),
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
}
#: RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1: members that only secrets have.
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key with its `kid` and the algorithms that it may verify.

    `thumbprint` is that of RFC 7638, with SHA-256, in base64url.
    """

    kid: str | None
    algorithms: frozenset[str]
    public_key: Any = field(repr=False)
    thumbprint: str = ""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one issuer; `dropped` says why others were left out."""

    keys: tuple[VerificationKey, ...]
    dropped: tuple[str, ...] = ()
    _named: Mapping[str | None, tuple[VerificationKey, ...]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        named: dict[str | None, tuple[VerificationKey, ...]] = {}
        for key in self.keys:
            named[key.kid] = (*named.get(key.kid, ()), key)
        object.__setattr__(self, "_named", named)

    def select(self, kid: str | None, algorithm: str) -> VerificationKey:
        """Find the one key for a token's header.

        Without `kid` the choice must be unambiguous; so must it be with one,
        since two keys under one `kid` that fit mean that something is wrong.

        Raises:
            TokenError: `key_unknown` where no key has that `kid`, `key_unfit`
                where none or several of them fit the algorithm.

        """
        named = self.keys if kid is None else self._named.get(kid, ())
        if not named:
            raise TokenError(Reason.KEY_UNKNOWN, "no key with this kid")
        fitting = [key for key in named if algorithm in key.algorithms]
        # One key may be published twice, as for two algorithms.
        different = {key.thumbprint for key in fitting}
        if len(different) != 1:
            raise TokenError(Reason.KEY_UNFIT, f"{len(different)} keys fit {algorithm}")
        return fitting[0]


def parse_key_set(document: object) -> KeySet:
    """Read a JWK Set; an unusable key is dropped, never fatal to the others.

    Raises:
        KeySetError: not an object with a `keys` array.

    """
    keys = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(keys, list):
        raise KeySetError("not an object with a `keys` array")
    usable: list[VerificationKey] = []
    dropped: list[str] = []
    for index, jwk in enumerate(keys[:MAX_KEYS]):
        try:
            usable.append(_parse_key(jwk))
        except KeySetError as error:
            dropped.append(f"keys[{index}]: {error}")
    if len(keys) > MAX_KEYS:
        dropped.append(f"keys[{MAX_KEYS}:]: more than {MAX_KEYS} keys")
    return KeySet(tuple(usable), tuple(dropped))


def _parse_key(jwk: object) -> VerificationKey:
    if not isinstance(jwk, Mapping):
        raise KeySetError("not an object")
    # Some libraries write what is not there as null.
    jwk = {name: value for name, value in jwk.items() if value is not None}
    _refuse_secrets(jwk)
    kid = jwk.get("kid")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= MAX_KID):
        raise KeySetError("unusable kid")
    try:
        public_key = _KINDS[jwk["kty"]].from_jwk(jwk)
    except (
        PyJWTError,
        UnsupportedAlgorithm,
        AttributeError,
        LookupError,
        OverflowError,
        TypeError,
        ValueError,
    ):
        raise KeySetError("unknown or broken key") from None
    algorithms = _narrow(jwk, algorithms_for(public_key))
    if not algorithms:
        raise KeySetError("too weak, or not for signatures")
    return VerificationKey(kid, algorithms, public_key, _thumbprint(public_key, jwk))


def _thumbprint(public_key: Any, jwk: Mapping[Any, Any]) -> str:
    """RFC 7638 section 3: what names a key whatever its `kid` and its spelling."""
    kind = jwk["kty"]
    spelt = _KINDS[kind].to_jwk(public_key, as_dict=True)
    members = {name: spelt[name] for name in _PUBLIC_MEMBERS[kind]}
    text = json.dumps(members, separators=(",", ":"), sort_keys=True)
    raw = hashlib.sha256(text.encode("ascii")).digest()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _refuse_secrets(jwk: Mapping[Any, Any]) -> None:
    """Refuse what must never be published: whoever reads it can sign."""
    if jwk.get("kty") == "oct" or _PRIVATE_MEMBERS & jwk.keys():
        raise KeySetError("a secret or private key")


def _narrow(jwk: Mapping[Any, Any], algorithms: frozenset[str]) -> frozenset[str]:
    """Apply `use`, `key_ops` and `alg` (RFC 7517 sections 4.2 to 4.4)."""
    operations = jwk.get("key_ops", ["verify"])
    may_verify = isinstance(operations, list) and "verify" in operations
    if jwk.get("use", "sig") != "sig" or not may_verify:
        return frozenset()
    declared = jwk.get("alg")
    return frozenset(
        name for name in algorithms if declared is None or declared == name
    )
