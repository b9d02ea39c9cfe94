"""Rules for the claims of an ID token (OpenID Connect Core sections 2, 3.1.3.7, 12.2).

It tells a client who has logged in. A provider signs it with the keys of its access
tokens, and sends others to other clients: whom it is for is what counts.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from drf_apikit.jose.claims import audiences_of, check_text, missing, numeric_date
from drf_apikit.jose.errors import Reason, TokenError

__all__ = [
    "IdTokenRules",
    "UserinfoRules",
    "at_hash",
    "check_at_hash",
    "check_id_token",
    "check_nonce",
    "check_refreshed_id_token",
]

Claims = Mapping[str, Any]

#: What `typ` may say; OpenID Connect Core has nothing about it.
_TYPES: Final[frozenset[str | None]] = frozenset({None, "jwt"})
#: Of logout and other event tokens (RFC 8417 section 2.2) and of DPoP proofs (RFC 9449
#: section 4.2).
_FOREIGN: Final = ("events", "htm", "htu", "ath")
#: Where a provider says in a claim what kind of token it is, and what it says of this
#: one: Keycloak, Amazon Cognito, others.
_KINDS: Final[Mapping[str, frozenset[str]]] = {
    "typ": frozenset({"ID"}),
    "token_use": frozenset({"id"}),
    "token_type": frozenset({"id", "ID", "id_token"}),
}
#: What an access token may do, which no ID token says.
_SCOPES: Final = ("scope", "scp")
#: Seconds by which the clocks of two machines of one provider may differ.
_SKEW: Final = 30
#: Where an algorithm hashes otherwise than its name says (RFC 8032 section 5.1).
_HASHES: Final[Mapping[str, str]] = {"EdDSA": "sha512", "Ed25519": "sha512"}


@dataclass(frozen=True, slots=True)
class IdTokenRules:
    """What the claims must say.

    `leeway` and `max_age` are in seconds; with `max_age` the provider has to say when
    the person has shown who they are. `may_have_scopes` is for a token that cannot be
    an access token, since the token endpoint has just given it as an ID token.
    """

    issuer: str
    client_id: str
    leeway: int = 30
    max_age: int | None = None
    may_have_scopes: bool = False

    @property
    def types(self) -> frozenset[str | None]:
        """The values of `typ` that such a token may have."""
        return _TYPES

    def check(self, claims: Claims, now: float) -> None:
        """Refuse a token whose claims break a rule."""
        check_id_token(claims, self, now)


@dataclass(frozen=True, slots=True)
class UserinfoRules:
    """What a signed userinfo answer must say (OpenID Connect Core section 5.3.2).

    It is for this client, so that none of another client's will do, and of no time,
    since it comes straight from the provider; but what it says of time holds.
    """

    issuer: str
    client_id: str
    leeway: int = 30

    @property
    def types(self) -> frozenset[str | None]:
        """The values of `typ` that such an answer may have."""
        return _TYPES

    def check(self, claims: Claims, now: float) -> None:
        """Refuse an answer whose claims break a rule."""
        _refuse_foreign(claims)
        _check_issuer(claims, self.issuer)
        if self.client_id not in audiences_of(claims):
            raise TokenError(Reason.AUDIENCE, "for another client")
        if "exp" in claims and now >= numeric_date(claims, "exp") + self.leeway:
            raise TokenError(Reason.EXPIRED, "exp has passed")
        for name in ("iat", "nbf"):
            if name in claims and numeric_date(claims, name) > now + self.leeway:
                raise TokenError(Reason.NOT_YET_VALID, f"{name} lies ahead")


def check_id_token(claims: Claims, rules: IdTokenRules, now: float) -> None:
    """Refuse a token whose claims break a rule (OpenID Connect Core 3.1.3.7).

    Raises:
        TokenError: with the reason of the first rule that is broken.

    """
    _check_kind(claims, rules)
    _check_issuer(claims, rules.issuer)
    _check_audience(claims, rules.client_id)
    _check_dates(claims, rules, now)
    _check_authentication(claims, rules, now)


def check_nonce(claims: Claims, nonce: str) -> None:
    """Refuse a token of another login (OpenID Connect Core 3.1.3.7, number 11).

    Raises:
        TokenError: `nonce` is missing, or another one.

    """
    if "nonce" not in claims:
        raise missing("nonce")
    if not _is_same(claims["nonce"], nonce):
        raise TokenError(Reason.BINDING, "nonce is of another login")


def check_at_hash(claims: Claims, access_token: str, algorithm: str) -> None:
    """Refuse a token that came with another access token (section 3.1.3.8).

    With the code flow the claim may be missing.

    Raises:
        TokenError: `at_hash` is of another one.

    """
    if "at_hash" not in claims:
        return
    if not _is_same(claims["at_hash"], at_hash(access_token, algorithm)):
        raise TokenError(Reason.BINDING, "at_hash is of another access token")


def at_hash(access_token: str, algorithm: str) -> str:
    """Give the left half of the hash of a token, by the algorithm of the signature.

    Section 3.1.3.6 of OpenID Connect Core; Ed25519 hashes with SHA-512.
    """
    name = _HASHES.get(algorithm) or f"sha{algorithm[-3:]}"
    whole = hashlib.new(name, access_token.encode("utf-8", "surrogatepass")).digest()
    half = whole[: len(whole) // 2]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode("ascii")


def check_refreshed_id_token(new: Claims, old: Claims) -> None:
    """Refuse an ID token that came with a refreshed access token and is another's.

    It must have passed all other checks; `old` are the claims of the login, all of
    them that this asks for (OpenID Connect Core section 12.2).

    Raises:
        TokenError: with the reason of the first rule that is broken.

    """
    for name in ("iss", "sub", "azp"):
        if new.get(name) != old.get(name):
            raise TokenError(Reason.BINDING, f"{name} is not that of the login")
    if set(audiences_of(new)) != set(audiences_of(old)):
        raise TokenError(Reason.BINDING, "aud is not that of the login")
    # It need not be there again, and where it is it must be the same.
    if "nonce" in new and new["nonce"] != old.get("nonce"):
        raise TokenError(Reason.BINDING, "nonce is not that of the login")
    # It should be the same too, but some providers have one for all sessions of a
    # person: whoever has logged in once more since is still the same.
    both = "auth_time" in new and "auth_time" in old
    if both and numeric_date(new, "auth_time") < numeric_date(old, "auth_time"):
        raise TokenError(Reason.BINDING, "auth_time is before that of the login")
    if numeric_date(new, "iat") < numeric_date(old, "iat") - _SKEW:
        raise TokenError(Reason.BINDING, "iat is before the login")


def _refuse_foreign(claims: Claims) -> None:
    for name in _FOREIGN:
        if name in claims:
            raise TokenError(Reason.TYPE, f"{name} is of another kind of token")


def _check_issuer(claims: Claims, issuer: str) -> None:
    check_text(claims, "iss")
    if claims["iss"] != issuer:
        raise TokenError(Reason.ISSUER, "another issuer")
    check_text(claims, "sub")


def _check_kind(claims: Claims, rules: IdTokenRules) -> None:
    """Refuse tokens of another kind (RFC 8725 sections 3.11 and 3.12)."""
    _refuse_foreign(claims)
    for name, values in _KINDS.items():
        value = claims.get(name)
        if name in claims and not (isinstance(value, str) and value in values):
            raise TokenError(Reason.TYPE, f"{name} is of another kind of token")
    if rules.may_have_scopes or "nonce" in claims:
        return
    for name in _SCOPES:
        if name in claims:
            raise TokenError(Reason.TYPE, f"{name} is of an access token")


def _check_audience(claims: Claims, client_id: str) -> None:
    """Numbers 3 to 5: for this client, and where there are others, issued to it."""
    listed = audiences_of(claims)
    if client_id not in listed:
        raise TokenError(Reason.AUDIENCE, "for another client")
    if "azp" in claims:
        check_text(claims, "azp")
        if claims["azp"] != client_id:
            raise TokenError(Reason.CLIENT, "issued to another client")
    elif set(listed) != {client_id}:
        raise TokenError(Reason.AUDIENCE, "for several clients, issued to nobody")


def _check_dates(claims: Claims, rules: IdTokenRules, now: float) -> None:
    expires, issued = numeric_date(claims, "exp"), numeric_date(claims, "iat")
    if now >= expires + rules.leeway:
        raise TokenError(Reason.EXPIRED, "exp has passed")
    if issued > now + rules.leeway:
        raise TokenError(Reason.NOT_YET_VALID, "iat lies ahead")
    if "nbf" in claims and numeric_date(claims, "nbf") > now + rules.leeway:
        raise TokenError(Reason.NOT_YET_VALID, "nbf lies ahead")


def _check_authentication(claims: Claims, rules: IdTokenRules, now: float) -> None:
    """Refuse a session at the provider that is too old (number 13)."""
    if rules.max_age is None and "auth_time" not in claims:
        return
    shown = numeric_date(claims, "auth_time")
    if shown > now + rules.leeway:
        raise TokenError(Reason.NOT_YET_VALID, "auth_time lies ahead")
    if rules.max_age is not None and now > shown + rules.max_age + rules.leeway:
        raise TokenError(Reason.EXPIRED, "auth_time is longer ago than max_age")


def _is_same(given: object, wanted: str) -> bool:
    """Compare in constant time."""
    text = given if isinstance(given, str) else ""
    one, other = (each.encode("utf-8", "surrogatepass") for each in (text, wanted))
    return hmac.compare_digest(one, other)
