"""Who may come in, and what is kept of them."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from mozilla_django_oidc.auth import OIDCAuthenticationBackend


def generate_username(email: str) -> str:
    """Name users by their address, which makes them easy to find."""
    return unicodedata.normalize("NFKC", email)[:150]


class ShopBackend(OIDCAuthenticationBackend):
    """Keeps names up to date, and lets nobody in who is banned."""

    def create_user(self, claims: Mapping[str, Any]) -> Any:
        """Make a user with a name."""
        return self.update_user(super().create_user(claims), claims)

    def update_user(self, user: Any, claims: Mapping[str, Any]) -> Any:
        """Take over the name."""
        user.first_name = claims.get("name", "")
        user.save()
        return user

    def verify_claims(self, claims: Mapping[str, Any]) -> bool:
        """Refuse who is banned."""
        return super().verify_claims(claims) and "banned" not in claims.get(
            "groups", []
        )
