"""JSON Web Key Sets as sets of usable public keys (RFC 7517)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from drf_apikit.jose.algorithms import algorithms_for
from drf_apikit.jose.errors import KeySetError, Reason, TokenError

__all__ = ["MAX_KEYS", "KeySet", "VerificationKey", "parse_key_set"]

#: Keys of one document that are looked at.
MAX_KEYS: Final = 100
_MAX_KID: Final = 256

_READERS: Final[Mapping[str, Any]] = {
    "RSA": RSAAlgorithm.from_jwk,
    "EC": ECAlgorithm.from_jwk,
    "OKP": OKPAlgorithm.from_jwk,
}
#: RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1: members that only secrets have.
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key with its `kid` and the algorithms that it may verify."""

    kid: str | None
    algorithms: frozenset[str]
    public_key: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one issuer; `dropped` says why others were left out."""

    keys: tuple[VerificationKey, ...]
    dropped: tuple[str, ...] = ()

    def select(self, kid: str | None, algorithm: str) -> VerificationKey:
        """Find the one key for a token's header.

        Without `kid` the choice must be unambiguous; so must it be with one,
        since two keys under one `kid` mean that something is wrong.

        Raises:
            TokenError: `key_unknown` where no key has that `kid`, `key_unfit`
                where none or several of them fit the algorithm.

        """
        named = [key for key in self.keys if kid is None or key.kid == kid]
        if not named:
            raise TokenError(Reason.KEY_UNKNOWN, "no key with this kid")
        if kid is not None and len(named) > 1:
            raise TokenError(Reason.KEY_UNFIT, "several keys with this kid")
        fitting = [key for key in named if algorithm in key.algorithms]
        if len(fitting) != 1:
            raise TokenError(Reason.KEY_UNFIT, f"{len(fitting)} keys fit {algorithm}")
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
    _refuse_secrets(jwk)
    kid = jwk.get("kid")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= _MAX_KID):
        raise KeySetError("unusable kid")
    try:
        public_key = _READERS[jwk["kty"]](dict(jwk))
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
    return VerificationKey(kid, algorithms, public_key)


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
