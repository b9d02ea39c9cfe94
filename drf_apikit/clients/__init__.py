"""Tokens for calls to other services: the client credentials grant of OAuth."""

from drf_apikit.clients.credentials import ClientCredentials
from drf_apikit.clients.errors import TokenUnavailableError

__all__ = ["ClientCredentials", "TokenUnavailableError"]
