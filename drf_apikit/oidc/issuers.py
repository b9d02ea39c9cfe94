"""The issuers that the settings trust."""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from drf_apikit.conf import IssuerSettings, apikit_settings, load
from drf_apikit.jose import (
    PROFILES,
    CompactToken,
    KeySet,
    Policy,
    Reason,
    TokenError,
    profile_of,
    verify,
)
from drf_apikit.jose.claims import ClaimRules, check_claims
from drf_apikit.jose.profiles import RFC9068
from drf_apikit.oidc.jwks import KeyStore

__all__ = ["Issuer", "KeySource", "find_issuer", "judged", "trusted_issuers"]

logger = logging.getLogger(__name__)

#: Whose log has a suggestion already.
_SUGGESTED: Final[set[str]] = set()
#: What a key that is not there yet may see otherwise, and no other profile does; a
#: `kid` tells more.
_OF_KID: Final = frozenset({Reason.KEY_UNKNOWN})
_OF_KEY: Final = _OF_KID | {Reason.KEY_UNFIT, Reason.SIGNATURE}
#: What another profile may see otherwise.
_OF_PROFILE: Final = frozenset(
    {Reason.TYPE, Reason.CLAIM_MISSING, Reason.CLAIM_INVALID, Reason.AUDIENCE}
)


class KeySource(Protocol):
    """Where the keys of an issuer come from."""

    def keys(self) -> KeySet:
        """Give the keys.

        Raises:
            KeysUnavailableError: there are none.

        """
        ...

    def refreshed(self, kid: str | None) -> KeySet:
        """Give the keys after a look for one that is unknown, if one is due."""
        ...


def judged(
    source: KeySource, token: CompactToken, judge: Callable[[KeySet], Mapping[str, Any]]
) -> tuple[Mapping[str, Any], KeySet]:
    """Judge a token by the keys of its issuer; give what comes of it, and the keys.

    A key that nobody has seen makes the issuer's keys be looked at again, since it
    may have rotated them.

    Raises:
        TokenError: the token is refused.
        KeysUnavailableError: it cannot be judged.

    """
    keys = source.keys()
    try:
        return judge(keys), keys
    except TokenError as error:
        kid = token.header.get("kid")
        if error.reason not in (_OF_KEY if kid is None else _OF_KID):
            raise
        newer = source.refreshed(kid)
        if newer is keys:
            raise
    return judge(newer), newer


@dataclass(frozen=True, slots=True)
class _StaticKeys:
    """Keys that the settings give."""

    key_set: KeySet

    def keys(self) -> KeySet:
        return self.key_set

    def refreshed(self, _kid: str | None) -> KeySet:
        return self.key_set


@dataclass(frozen=True, slots=True, eq=False)
class Issuer:
    """A trusted issuer: its rules, and where its keys come from."""

    name: str
    settings: IssuerSettings
    policy: Policy[ClaimRules]
    source: KeySource

    def verify(
        self, token: CompactToken, now: float
    ) -> tuple[Mapping[str, Any], KeySet]:
        """Verify a token of this issuer; give its claims and the keys then.

        `now` is in seconds since the epoch.

        Raises:
            TokenError: the token is refused.
            KeysUnavailableError: it cannot be judged.

        """
        return judged(self.source, token, lambda keys: self._verify(token, keys, now))

    def _verify(
        self, token: CompactToken, keys: KeySet, now: float
    ) -> Mapping[str, Any]:
        try:
            return verify(token, keys, self.policy, now)
        except TokenError as error:
            if error.reason in _OF_PROFILE:
                self._suggest(token, keys, now)
            raise

    def _suggest(self, token: CompactToken, keys: KeySet, now: float) -> None:
        """Tell the log once which preset fits a token that is good otherwise."""
        if self.policy.claims.profile is not RFC9068 or self.name in _SUGGESTED:
            return
        for profile in PROFILES.values():
            rules = replace(self.policy.claims, profile=profile)
            try:
                # First what costs little: a client may send its ID token for ever.
                check_claims(token.payload, rules, now)
                verify(token, keys, replace(self.policy, claims=rules), now)
            except TokenError as error:
                if error.reason in _OF_KEY:
                    # Anybody can send these: one signature is all that they cost.
                    return
                continue
            _SUGGESTED.add(self.name)
            logger.warning(
                "Tokens of %s are refused, since they are not as in RFC 9068:"
                " TOKEN_PROFILE %r would fit",
                self.name,
                profile.name,
            )
            return


class Registry:
    """Issuers, built at first use, and again when the settings have changed."""

    def __init__(self, build: Callable[[str, IssuerSettings], Issuer]) -> None:
        self._build = build
        self._issuers: dict[str, Issuer] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """Go on with what is known; the child of a fork has none of our locks."""
        self._lock = threading.Lock()

    def find(self, name: str, settings: IssuerSettings) -> Issuer:
        """Give the issuer with these settings."""
        known = self._issuers.get(name)
        if known is None or known.settings is not settings:
            with self._lock:
                known = self._issuers.get(name)
                if known is None or known.settings is not settings:
                    known = self._issuers[name] = self._build(name, settings)
        return known


def find_issuer(name: object) -> Issuer:
    """Find a trusted issuer by the exact `iss` of a token.

    Raises:
        TokenError: `issuer`, since nothing is ever fetched for another one.

    """
    settings = apikit_settings.authentication.issuers
    if not isinstance(name, str) or name not in settings:
        raise TokenError(Reason.ISSUER, "not a trusted issuer")
    return _REGISTRY.find(name, settings[name])


def trusted_issuers() -> Mapping[str, Issuer]:
    """Give all issuers of the settings by name."""
    names = apikit_settings.authentication.issuers
    return {name: find_issuer(name) for name in names}


def _build(name: str, settings: IssuerSettings) -> Issuer:
    rules = ClaimRules(
        issuer=name,
        audiences=settings.audience,
        clients=settings.clients,
        leeway=settings.leeway,
        max_lifetime=settings.max_lifetime,
        ignore_confirmation=settings.insecure_ignore_confirmation,
        profile=profile_of(settings.token_profile, settings.subject_claim),
    )
    source = _source(name, settings)
    return Issuer(name, settings, Policy(rules, settings.algorithms), source)


def _source(name: str, settings: IssuerSettings) -> KeySource:
    if settings.key_source is not None:
        source: KeySource = load(settings.key_source)()
        return source
    if settings.jwks is not None:
        return _StaticKeys(settings.jwks)
    return KeyStore(name, settings)


_REGISTRY: Final = Registry(_build)
os.register_at_fork(after_in_child=_REGISTRY.begin_anew)
