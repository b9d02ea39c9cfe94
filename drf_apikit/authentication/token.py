"""The verified token of a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from drf_apikit.conf import IssuerSettings
from drf_apikit.jose import TokenProfile, claim_at, profile_of

__all__ = ["AccessToken"]

#: Whose tokens are as in RFC 9068.
_RFC9068: Final = IssuerSettings()


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The verified claims of an access token; this is `request.auth`.

    `claims` is the whole payload, `settings` those of its issuer; the token itself
    is not kept. Nothing in `claims` may be changed: a cache of verified tokens has
    the same lists and dicts.
    """

    claims: Mapping[str, Any] = field(repr=False)
    settings: IssuerSettings = field(default=_RFC9068, repr=False)

    @property
    def issuer(self) -> str:
        """The `iss` claim."""
        return str(self.claims["iss"])

    @property
    def subject(self) -> str:
        """The `sub` claim: unique within the issuer, never reassigned.

        Tokens of simplejwt have `user_id` in its place, unless `SUBJECT_CLAIM` names
        another.
        """
        return str(self.claims[self._profile.subject])

    @property
    def client_id(self) -> str | None:
        """The client that the token was issued to (RFC 8693 section 4.3).

        None where the issuer knows no clients.
        """
        return self._profile.client_of(self.claims)

    @property
    def scopes(self) -> frozenset[str]:
        """What the token may be used for (RFC 8693 section 4.2)."""
        path = self.settings.scope_claim
        found = (
            self._profile.scopes_of(self.claims)
            if path is None
            else claim_at(self.claims, path)
        )
        listed = found.split(" ") if isinstance(found, str) else found
        if not isinstance(listed, list):
            return frozenset()
        return frozenset(text for text in listed if isinstance(text, str) and text)

    @property
    def issued_at(self) -> float:
        """The `iat` claim, in seconds since the epoch."""
        return float(self.claims["iat"])

    @property
    def expires_at(self) -> float:
        """The `exp` claim, in seconds since the epoch."""
        return float(self.claims["exp"])

    @property
    def is_of_client(self) -> bool:
        """Whether a machine client acts for itself, so that there is no user."""
        return self._profile.is_of_client(self.claims, self.client_id)

    @property
    def _profile(self) -> TokenProfile:
        return profile_of(self.settings.token_profile, self.settings.subject_claim)
