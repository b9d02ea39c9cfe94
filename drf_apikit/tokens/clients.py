"""The applications that people log in with, and what each of them may have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from drf_apikit.conf import TokenClientSettings, apikit_settings
from drf_apikit.tokens.lifetimes import lifetimes

__all__ = [
    "FIRST_PARTY",
    "TokenClient",
    "client_of_session",
    "find_client",
    "usual_client",
]

#: The only client where the settings name none.
FIRST_PARTY: Final = "first-party"


@dataclass(frozen=True, slots=True)
class TokenClient:
    """One entry of `CLIENTS`, with what the section says in its place."""

    client_id: str
    scopes: frozenset[str]
    #: Seconds.
    access_lifetime: int


def find_client(client_id: str) -> TokenClient | None:
    """Find a client by its identifier; None if there is no such one."""
    clients = _clients()
    return _client(client_id, clients[client_id]) if client_id in clients else None


def client_of_session(client_id: str) -> TokenClient | None:
    """Find the client of a session, which may have begun without `CLIENTS`.

    It goes on as one of the first entry, as the app does that names no client.
    """
    found = find_client(client_id)
    return usual_client() if found is None and client_id == FIRST_PARTY else found


def usual_client() -> TokenClient:
    """Give the first one of the settings: what was written for simplejwt names none."""
    return _client(*next(iter(_clients().items())))


def _clients() -> Mapping[str, TokenClientSettings]:
    return apikit_settings.tokens.clients or {FIRST_PARTY: TokenClientSettings()}


def _client(name: str, own: TokenClientSettings) -> TokenClient:
    scopes = apikit_settings.tokens.scopes if own.scopes is None else own.scopes
    return TokenClient(name, scopes, lifetimes(name).access)
