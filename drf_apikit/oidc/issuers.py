"""The issuers that the settings trust."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from drf_apikit.conf import IssuerSettings, apikit_settings
from drf_apikit.jose import (
    CompactToken,
    KeySet,
    Policy,
    Reason,
    TokenError,
    verify,
)
from drf_apikit.jose.claims import ClaimRules
from drf_apikit.oidc.jwks import KeyStore

__all__ = ["Issuer", "find_issuer"]


@dataclass(frozen=True, slots=True)
class Issuer:
    """A trusted issuer: its rules, and where its keys come from."""

    name: str
    settings: IssuerSettings
    policy: Policy
    keys: KeySet | KeyStore

    def verify(self, token: CompactToken, now: float) -> Mapping[str, Any]:
        """Verify a token of this issuer and give its claims.

        `now` is in seconds since the epoch. A key id that nobody has seen makes
        the issuer's keys be looked at again, since it may have rotated them.

        Raises:
            TokenError: the token is refused.
            KeysUnavailableError: it cannot be judged.

        """
        if isinstance(self.keys, KeySet):
            return verify(token, self.keys, self.policy, now)
        try:
            return verify(token, self.keys.keys(), self.policy, now)
        except TokenError as error:
            if error.reason is not Reason.KEY_UNKNOWN:
                raise
        return verify(token, self.keys.refreshed(), self.policy, now)


def find_issuer(name: object) -> Issuer:
    """Find a trusted issuer by the exact `iss` of a token.

    Raises:
        TokenError: `issuer`, since nothing is ever fetched for another one.

    """
    settings = apikit_settings.authentication.issuers
    if not isinstance(name, str) or name not in settings:
        raise TokenError(Reason.ISSUER, "not a trusted issuer")
    with _LOCK:
        known = _ISSUERS.get(name)
        if known is None or known.settings is not settings[name]:
            known = _ISSUERS[name] = _build(name, settings[name])
    return known


#: Built at first use, and again when the settings have changed.
_ISSUERS: Final[dict[str, Issuer]] = {}
_LOCK: Final = threading.Lock()


def _build(name: str, settings: IssuerSettings) -> Issuer:
    rules = ClaimRules(
        issuer=name,
        audiences=settings.audience,
        clients=settings.clients,
        leeway=settings.leeway,
        max_lifetime=settings.max_lifetime,
    )
    keys = settings.jwks or KeyStore(name, settings)
    return Issuer(name, settings, Policy(rules, settings.algorithms), keys)
