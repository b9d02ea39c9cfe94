"""From the text of an ID token, or of a signed userinfo answer, to its claims."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from drf_apikit.conf import IssuerSettings, apikit_settings
from drf_apikit.jose import CompactToken, Policy, Rules, parse_compact, verify
from drf_apikit.jose.id_token import (
    IdTokenRules,
    UserinfoRules,
    check_at_hash,
    check_nonce,
)
from drf_apikit.oidc.issuers import KeySource, find_issuer, judged
from drf_apikit.oidc.jwks import KeyStore

__all__ = ["IdTokenVerifier", "verify_id_token", "verify_userinfo"]

_STORES: Final[dict[Hashable, KeySource]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class IdTokenVerifier:
    """What ID tokens of one provider for one client must be like.

    `leeway` and `max_age` are in seconds. Where `jwks_uri` is None, the keys are where
    the discovery document says.
    """

    issuer: str
    client_id: str
    algorithms: frozenset[str]
    leeway: int = 30
    max_age: int | None = None
    jwks_uri: str | None = None
    allow_loopback_http: bool = False
    proxies: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def source(self) -> KeySource:
        """The keys: those of `ISSUERS` where they are the same, so kept but once."""
        trusted = apikit_settings.authentication.issuers.get(self.issuer)
        if trusted is not None and self.jwks_uri in {None, trusted.jwks_uri}:
            return find_issuer(self.issuer).source
        ways = frozenset((self.proxies or {}).items())
        place = (self.issuer, self.jwks_uri, self.allow_loopback_http, ways)
        if place not in _STORES:
            settings = IssuerSettings(
                jwks_uri=self.jwks_uri, insecure_loopback_http=self.allow_loopback_http
            )
            # Of two threads both go on with what the first one has.
            store = KeyStore(self.issuer, settings, proxies=self.proxies)
            _STORES.setdefault(place, store)
        return _STORES[place]


def verify_id_token(
    text: str,
    verifier: IdTokenVerifier,
    *,
    nonce: str | None,
    access_token: str | None,
    now: float,
    refreshed: bool = False,
) -> Mapping[str, Any]:
    """Verify an ID token and return its claims (OpenID Connect Core 3.1.3.7).

    `now` is in seconds since the epoch. `nonce` is what the request had, None if it
    had none; `access_token` came with the ID token, and has to be the one that it
    speaks of, if it does. `refreshed`: it is what the token endpoint has given for a
    refresh token, and so has no nonce (section 12.2).

    Raises:
        TokenError: with the reason of the first check that fails.
        KeysUnavailableError: it cannot be judged.

    """
    rules = IdTokenRules(
        verifier.issuer,
        verifier.client_id,
        verifier.leeway,
        verifier.max_age,
        may_have_scopes=refreshed and nonce is None,
    )
    token = parse_compact(text)
    claims = _verified(token, verifier, rules, now)
    if nonce is not None:
        check_nonce(claims, nonce)
    if access_token is not None:
        check_at_hash(claims, access_token, token.header["alg"])
    return claims


def verify_userinfo(
    text: str, verifier: IdTokenVerifier, now: float
) -> Mapping[str, Any]:
    """Verify a signed userinfo answer and return its claims (section 5.3.2).

    Raises:
        TokenError: with the reason of the first check that fails.
        KeysUnavailableError: it cannot be judged.

    """
    rules = UserinfoRules(verifier.issuer, verifier.client_id, verifier.leeway)
    return _verified(parse_compact(text), verifier, rules, now)


def _verified(
    token: CompactToken, verifier: IdTokenVerifier, rules: Rules, now: float
) -> Mapping[str, Any]:
    policy = Policy(rules, verifier.algorithms)
    claims, _ = judged(
        verifier.source, token, lambda keys: verify(token, keys, policy, now)
    )
    return claims
