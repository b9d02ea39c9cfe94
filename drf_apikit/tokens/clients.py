"""The applications that people log in with, and what each of them may have."""

from dataclasses import dataclass
from typing import Final

from drf_apikit.conf import TokenClientSettings, apikit_settings
from drf_apikit.tokens.sessions import lifetimes

__all__ = ["FIRST_PARTY", "TokenClient", "find_client"]

#: The only client where the settings name none.
FIRST_PARTY: Final = "first-party"


@dataclass(frozen=True, slots=True)
class TokenClient:
    """One entry of `CLIENTS`, with what the section says in its place."""

    client_id: str
    scopes: frozenset[str]
    #: Seconds.
    access_lifetime: int


def find_client(client_id: str | None = None) -> TokenClient | None:
    """Find a client by its identifier; None if there is no such one.

    Without an identifier it is the first one of the settings: what was written for
    simplejwt sends none.
    """
    section = apikit_settings.tokens
    clients = section.clients or {FIRST_PARTY: TokenClientSettings()}
    name = next(iter(clients)) if client_id is None else client_id
    if name not in clients:
        return None
    own = clients[name]
    scopes = section.scopes if own.scopes is None else own.scopes
    return TokenClient(name, scopes, lifetimes(name).access)
