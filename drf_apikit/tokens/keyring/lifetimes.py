"""For how long the tokens that a key signs may be good."""

from datetime import timedelta
from typing import Final

from django.conf import settings

from drf_apikit.conf import TokensSettings

__all__ = ["longest_access_lifetime"]

#: Seconds, as simplejwt has them.
_DEFAULT: Final = 300


def longest_access_lifetime(section: TokensSettings) -> int:
    """Give the seconds of the client whose access tokens live longest."""
    own = section.access_lifetime or _simplejwt_lifetime() or _DEFAULT
    clients = section.clients.values()
    return max([own, *(client.access_lifetime or own for client in clients)])


def _simplejwt_lifetime() -> int | None:
    """Give what djangorestframework-simplejwt was told, if it was."""
    told = getattr(settings, "SIMPLE_JWT", None) or {}
    lifetime = told.get("ACCESS_TOKEN_LIFETIME")
    if not isinstance(lifetime, timedelta):
        return None
    # Rounded up.
    return -(-lifetime // timedelta(seconds=1))
