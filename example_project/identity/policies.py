"""Which scopes a client may ask for."""

# The toolkit ships no types, so its classes are `Any` to a type checker.
# mypy: disallow-subclassing-any=False

from collections.abc import Mapping
from typing import Any

from oauth2_provider.scopes import BaseScopes

from identity.models import ClientPolicy
from identity.scopes import ALL_SCOPES, API_SCOPES

__all__ = ["ClientScopes", "policy_of"]


def policy_of(application: Any) -> ClientPolicy:
    """Return the client's policy; one that was never given has the defaults."""
    return ClientPolicy.objects.filter(application=application).first() or (
        ClientPolicy(application=application)
    )


class ClientScopes(BaseScopes):
    """All scopes for people's clients, the API's for machines, or the client's own."""

    def get_all_scopes(self) -> Mapping[str, str]:
        """Return every scope with its text for the consent page."""
        return ALL_SCOPES

    def get_available_scopes(
        self, application: Any = None, request: Any = None
    ) -> list[str]:
        """Return what `application` may ask for; without one, every scope."""
        del request
        if application is None:
            return list(self.get_all_scopes())
        suitable = (
            API_SCOPES
            if application.allows_grant_type(application.GRANT_CLIENT_CREDENTIALS)
            else self.get_all_scopes()
        )
        own = policy_of(application).scopes
        return [scope for scope in suitable if own is None or scope in own]

    def get_default_scopes(
        self, application: Any = None, request: Any = None
    ) -> list[str]:
        """Return what a request gets that names no scope: the API's, if allowed."""
        available = self.get_available_scopes(application, request)
        return [scope for scope in available if scope in API_SCOPES]
