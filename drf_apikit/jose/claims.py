"""Rules for the claims of an access token (RFC 7519, RFC 8725, RFC 9068)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from drf_apikit.jose.errors import Reason, TokenError

__all__ = ["ClaimRules", "check_claims"]

_MAX_TEXT: Final = 255
#: Seconds since the epoch at the end of the year 9999.
_MAX_DATE: Final = 253_402_300_799
#: RFC 9068 section 2.2.
_REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat", "client_id", "jti")


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What the claims must say.

    `leeway` and `max_lifetime` are in seconds; `clients` and `max_lifetime`
    may be None for no limit.
    """

    issuer: str
    audiences: frozenset[str]
    clients: frozenset[str] | None = None
    leeway: int = 30
    max_lifetime: int | None = None


def check_claims(claims: Mapping[str, Any], rules: ClaimRules, now: float) -> None:
    """Refuse a token whose claims break a rule.

    Raises:
        TokenError: with the reason of the first rule that is broken.

    """
    for name in _REQUIRED:
        if name not in claims:
            raise TokenError(Reason.CLAIM_MISSING, name)
    for name in ("iss", "sub", "client_id", "jti"):
        _check_text(claims, name)
    if claims["iss"] != rules.issuer:
        raise TokenError(Reason.ISSUER, "another issuer")
    if not _audiences(claims["aud"]) & rules.audiences:
        raise TokenError(Reason.AUDIENCE, "for another audience")
    if rules.clients is not None and claims["client_id"] not in rules.clients:
        raise TokenError(Reason.CLIENT, "from a client that is not allowed")
    _check_dates(claims, rules, now)


def _check_text(claims: Mapping[str, Any], name: str) -> None:
    value = claims[name]
    # NUL is legal JSON and breaks databases.
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT or "\0" in value:
        raise TokenError(Reason.CLAIM_INVALID, name)


def _audiences(value: object) -> frozenset[str]:
    """RFC 7519 section 4.1.3: a string or an array of strings."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(a, str) for a in listed):
        raise TokenError(Reason.CLAIM_INVALID, "aud")
    return frozenset(listed)


def _check_dates(claims: Mapping[str, Any], rules: ClaimRules, now: float) -> None:
    expires, issued = _date(claims, "exp"), _date(claims, "iat")
    if now >= expires + rules.leeway:
        raise TokenError(Reason.EXPIRED, "exp has passed")
    if issued > now + rules.leeway:
        raise TokenError(Reason.NOT_YET_VALID, "iat lies ahead")
    if "nbf" in claims and _date(claims, "nbf") > now + rules.leeway:
        raise TokenError(Reason.NOT_YET_VALID, "nbf lies ahead")
    if rules.max_lifetime is not None and expires - issued > rules.max_lifetime:
        raise TokenError(Reason.LIFETIME, "lives longer than allowed")


def _date(claims: Mapping[str, Any], name: str) -> float:
    """RFC 7519 section 2, NumericDate; a bool is a number only to Python."""
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenError(Reason.CLAIM_INVALID, name)
    if not 0 <= value <= _MAX_DATE:
        raise TokenError(Reason.CLAIM_INVALID, name)
    return value
