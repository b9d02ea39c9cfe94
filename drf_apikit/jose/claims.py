"""Rules for the claims of an access token (RFC 7519, RFC 8725, RFC 9068)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from drf_apikit.jose.errors import Reason, TokenError
from drf_apikit.jose.profiles import RFC9068, TokenProfile

__all__ = [
    "ClaimRules",
    "audiences_of",
    "check_claims",
    "check_text",
    "claim_at",
    "missing",
    "numeric_date",
]

_MAX_TEXT: Final = 255
#: Seconds since the epoch at the end of the year 9999.
_MAX_DATE: Final = 253_402_300_799
#: Of a primary key.
_MAX_INTEGER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What the claims must say.

    `leeway` and `max_lifetime` are in seconds; `clients` and `max_lifetime`
    may be None for no limit, `audiences` for a profile without them.
    """

    issuer: str
    audiences: frozenset[str] | None
    clients: frozenset[str] | None = None
    leeway: int = 30
    max_lifetime: int | None = None
    ignore_confirmation: bool = False
    profile: TokenProfile = RFC9068

    @property
    def types(self) -> frozenset[str | None]:
        """The values of `typ` that such a token may have."""
        return self.profile.types

    def check(self, claims: Mapping[str, Any], now: float) -> None:
        """Refuse a token whose claims break a rule."""
        check_claims(claims, self, now)


def check_claims(claims: Mapping[str, Any], rules: ClaimRules, now: float) -> None:
    """Refuse a token whose claims break a rule.

    Raises:
        TokenError: with the reason of the first rule that is broken.

    """
    profile = rules.profile
    _check_kind(claims, profile)
    for name in profile.required:
        if name not in claims:
            raise missing(name)
    check_text(claims, "iss")
    if claims["iss"] != rules.issuer:
        raise TokenError(Reason.ISSUER, "another issuer")
    _check_subject(claims, profile)
    if "jti" in claims:
        check_text(claims, "jti")
    client = _client(claims, profile)
    _check_audience(claims, rules, client)
    if rules.clients is not None and client not in rules.clients:
        raise TokenError(Reason.CLIENT, "from a client that is not allowed")
    # RFC 7800 section 3.1; Keycloak says it a second time, in a claim of its own.
    is_bound = "cnf" in claims or claims.get("typ") == "DPoP"
    if is_bound and not rules.ignore_confirmation:
        raise TokenError(Reason.CONFIRMATION, "cnf asks for a proof of possession")
    _check_dates(claims, rules, now)


def claim_at(claims: Mapping[str, Any], path: str) -> Any:
    """Give the claim of that name, or else at that path of names; None without.

    A name may have dots of its own, as URLs have.
    """
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def missing(name: str) -> TokenError:
    """Give the refusal of a token without a claim."""
    return TokenError(Reason.CLAIM_MISSING, name)


def _check_kind(claims: Mapping[str, Any], profile: TokenProfile) -> None:
    """Refuse tokens of another kind (RFC 8725 sections 3.11 and 3.12)."""
    for name in profile.foreign:
        if name in claims:
            raise TokenError(Reason.TYPE, f"{name} is of another kind of token")
    if profile.evidence and not any(name in claims for name in profile.evidence):
        raise missing(" or ".join(profile.evidence))
    for name, values in profile.values.items():
        if name not in claims:
            raise missing(name)
        value = claims[name]
        if not isinstance(value, str) or value not in values:
            raise TokenError(Reason.TYPE, f"{name} is of another kind of token")


def check_text(claims: Mapping[str, Any], name: str) -> None:
    """Refuse a token whose claim is not there, or is no text that can be kept."""
    if name not in claims:
        raise missing(name)
    value = claims[name]
    # NUL is legal JSON and breaks databases.
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT or "\0" in value:
        raise TokenError(Reason.CLAIM_INVALID, name)


def _check_subject(claims: Mapping[str, Any], profile: TokenProfile) -> None:
    value = claims.get(profile.subject)
    # A bool is a number only to Python.
    if profile.numeric_subject and type(value) is int and 0 <= value <= _MAX_INTEGER:
        return
    check_text(claims, profile.subject)


def _client(claims: Mapping[str, Any], profile: TokenProfile) -> str | None:
    for name in profile.clients:
        if name in claims:
            check_text(claims, name)
            return str(claims[name])
    if profile.clients:
        raise missing(profile.clients[0])
    return None


def _check_audience(
    claims: Mapping[str, Any], rules: ClaimRules, client: str | None
) -> None:
    if rules.audiences is None and rules.profile.without_audience:
        return
    listed = audiences_of(claims)
    if rules.audiences is None or rules.audiences.isdisjoint(listed):
        raise TokenError(Reason.AUDIENCE, "for another audience")
    if rules.profile.audience_is_never_client and client in listed:
        raise TokenError(Reason.TYPE, "aud has the client, as of an ID token")


def audiences_of(claims: Mapping[str, Any]) -> list[str]:
    """Give `aud`: a string or an array of strings (RFC 7519 section 4.1.3)."""
    if "aud" not in claims:
        raise missing("aud")
    value = claims["aud"]
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(a, str) for a in listed):
        raise TokenError(Reason.CLAIM_INVALID, "aud")
    return listed


def _check_dates(claims: Mapping[str, Any], rules: ClaimRules, now: float) -> None:
    expires, issued = numeric_date(claims, "exp"), numeric_date(claims, "iat")
    if now >= expires + rules.leeway:
        raise TokenError(Reason.EXPIRED, "exp has passed")
    if issued > now + rules.leeway:
        raise TokenError(Reason.NOT_YET_VALID, "iat lies ahead")
    if "nbf" in claims and numeric_date(claims, "nbf") > now + rules.leeway:
        raise TokenError(Reason.NOT_YET_VALID, "nbf lies ahead")
    if rules.max_lifetime is not None and expires - issued > rules.max_lifetime:
        raise TokenError(Reason.LIFETIME, "lives longer than allowed")


def numeric_date(claims: Mapping[str, Any], name: str) -> float:
    """Give a NumericDate (RFC 7519 section 2); a bool is a number only to Python."""
    if name not in claims:
        raise missing(name)
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenError(Reason.CLAIM_INVALID, name)
    if not 0 <= value <= _MAX_DATE:
        raise TokenError(Reason.CLAIM_INVALID, name)
    return value
