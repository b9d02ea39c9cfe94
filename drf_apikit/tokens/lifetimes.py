"""How long tokens and sessions live: out of our settings, or those of simplejwt."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings

from drf_apikit.conf import TokenClientSettings, TokensSettings, apikit_settings

__all__ = ["Lifetimes", "lifetimes", "longest_access_lifetime"]

#: Seconds.
_ACCESS: Final = 300
_REFRESH: Final = 14 * 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """In seconds: an access token, a session since it was last used, and at most."""

    access: int
    refresh: int
    session: int


def lifetimes(client_id: str, section: TokensSettings | None = None) -> Lifetimes:
    """Give those of a client; one that the settings do not name has those of all."""
    section = section or apikit_settings.tokens
    own = section.clients.get(client_id, TokenClientSettings())
    session = own.session_lifetime or section.session_lifetime
    access, refresh = section.access_lifetime, section.refresh_lifetime
    access = own.access_lifetime or access or _life("ACCESS_TOKEN_LIFETIME", _ACCESS)
    refresh = (
        own.refresh_lifetime or refresh or _life("REFRESH_TOKEN_LIFETIME", _REFRESH)
    )
    return Lifetimes(access, min(refresh, session), session)


def longest_access_lifetime(section: TokensSettings) -> int:
    """Give the seconds after which no token is left that was given out before."""
    return max(lifetimes(name, section).access for name in ("", *section.clients))


def _life(name: str, otherwise: int) -> int:
    given = getattr(settings, "SIMPLE_JWT", None)
    life: Any = given.get(name) if isinstance(given, Mapping) else None
    if not isinstance(life, timedelta):
        return otherwise
    return max(1, int(life.total_seconds()))
