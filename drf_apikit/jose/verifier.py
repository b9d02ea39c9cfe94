"""From a compact token and a key set to verified claims."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from drf_apikit.jose.algorithms import verify_signature
from drf_apikit.jose.compact import CompactToken
from drf_apikit.jose.errors import Reason, TokenError
from drf_apikit.jose.keys import MAX_KID, KeySet

__all__ = ["Policy", "Rules", "verify"]

#: Extensions that change what is signed or how (RFC 7515 section 4.1.11,
#: RFC 7797, RFC 7516 section 4.1.3): none is understood, so all are refused.
_REFUSED_MEMBERS: Final = ("crit", "b64", "zip")


class Rules(Protocol):
    """What tokens of one kind must say."""

    @property
    def types(self) -> frozenset[str | None]:
        """The values of `typ`, as `TokenProfile` has them."""
        ...

    def check(self, claims: Mapping[str, Any], now: float) -> None:
        """Refuse a token whose claims break a rule.

        Raises:
            TokenError: with the reason of the first rule that is broken.

        """
        ...


R = TypeVar("R", bound=Rules)


@dataclass(frozen=True, slots=True)
class Policy(Generic[R]):
    """What tokens of one kind of one issuer must be like."""

    claims: R
    algorithms: frozenset[str]


def verify(
    token: CompactToken, keys: KeySet, policy: Policy[R], now: float
) -> Mapping[str, Any]:
    """Verify a token and return its claims.

    `now` is in seconds since the epoch. The members `jwk`, `jku`, `x5u` and
    `x5c` are never looked at: keys come from `keys` alone.

    Raises:
        TokenError: with the reason of the first check that fails.

    """
    algorithm, kid = _check_header(token.header, policy)
    key = keys.select(kid, algorithm)
    if not verify_signature(
        algorithm, key.public_key, token.signing_input, token.signature
    ):
        raise TokenError(Reason.SIGNATURE, "does not verify")
    policy.claims.check(token.payload, now)
    return token.payload


def _check_header(
    header: Mapping[str, Any], policy: Policy[R]
) -> tuple[str, str | None]:
    for member in _REFUSED_MEMBERS:
        if member in header:
            raise TokenError(Reason.HEADER, f"{member} is not supported")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in policy.algorithms:
        raise TokenError(Reason.ALGORITHM, "not in the allow-list")
    if not _is_of_kind(header, policy.claims.types):
        raise TokenError(Reason.TYPE, "typ is of another kind of token")
    kid = header.get("kid")
    if "kid" in header and not (isinstance(kid, str) and len(kid) <= MAX_KID):
        raise TokenError(Reason.HEADER, "unusable kid")
    return algorithm, kid


def _is_of_kind(header: Mapping[str, Any], types: frozenset[str | None]) -> bool:
    """RFC 7515 section 4.1.9: a media type, so without regard to case."""
    if "typ" not in header:
        return None in types
    typ = header["typ"]
    return isinstance(typ, str) and typ.lower().removeprefix("application/") in types
