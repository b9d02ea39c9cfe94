"""What the environment says about this development provider.

- `IDENTITY_ISSUER`: scheme and host of the provider (`http://localhost:8001`)
- `IDENTITY_RESOURCE`: the audience of tokens whose request names none
  (`http://127.0.0.1:8000`)
- `IDENTITY_DATABASE_URL`: the database (`identity.sqlite3` beside manage.py)
- `IDENTITY_SIGNING_KEY_FILE`: an RSA key in PEM form, made when absent
  (`identity_signing_key.pem` beside manage.py)
- `IDENTITY_SECRET_KEY`: Django's secret key (derived from the signing key)
- `IDENTITY_ACCESS_TOKEN_SECONDS`: the life of an access token (3600)
- `IDENTITY_ALLOW`: `development` lets a host serve that is not loopback (empty)
"""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

__all__ = [
    "ACCESS_TOKEN_SECONDS",
    "ALLOW",
    "DATABASE_URL",
    "DEVELOPMENT",
    "ISSUER",
    "RESOURCE",
    "SECRET_KEY",
    "SIGNING_KEY_FILE",
    "Environment",
    "current",
]

ISSUER = "IDENTITY_ISSUER"
RESOURCE = "IDENTITY_RESOURCE"
DATABASE_URL = "IDENTITY_DATABASE_URL"
SECRET_KEY = "IDENTITY_SECRET_KEY"
SIGNING_KEY_FILE = "IDENTITY_SIGNING_KEY_FILE"
ACCESS_TOKEN_SECONDS = "IDENTITY_ACCESS_TOKEN_SECONDS"
ALLOW = "IDENTITY_ALLOW"

DEVELOPMENT = "development"
"""The one value of `IDENTITY_ALLOW` that lifts the loopback guard."""

DEFAULT_ISSUER = "http://localhost:8001"
DEFAULT_RESOURCE = "http://127.0.0.1:8000"
DEFAULT_ACCESS_TOKEN_SECONDS = "3600"
DATABASE = "identity.sqlite3"
KEY_FILE = "identity_signing_key.pem"

BASE_DIR = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Environment:
    """The provider's settings, as read from environment variables.

    `secret_key` is None when it is to be derived from the signing key.
    """

    issuer: str
    resource: str
    database_url: str
    signing_key_file: Path
    secret_key: str | None
    access_token_seconds: int
    allow: str

    @classmethod
    def read(cls, variables: Mapping[str, str], folder: Path) -> Self:
        """Read `variables`; files that are not named live in `folder`.

        Raises ImproperlyConfigured with the variable's name for a bad value.
        """
        database = variables.get(DATABASE_URL) or f"sqlite:///{folder}/{DATABASE}"
        key_file = variables.get(SIGNING_KEY_FILE) or folder / KEY_FILE
        return cls(
            issuer=_origin(variables.get(ISSUER) or DEFAULT_ISSUER),
            resource=_absolute_uri(variables.get(RESOURCE) or DEFAULT_RESOURCE),
            database_url=database,
            signing_key_file=Path(key_file),
            secret_key=variables.get(SECRET_KEY) or None,
            access_token_seconds=_seconds(
                variables.get(ACCESS_TOKEN_SECONDS) or DEFAULT_ACCESS_TOKEN_SECONDS
            ),
            allow=variables.get(ALLOW, ""),
        )

    @property
    def host(self) -> str:
        """The issuer's host name, in brackets when it is an IPv6 address."""
        name = urlsplit(self.issuer).hostname or ""
        return f"[{name}]" if ":" in name else name

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the provider over https."""
        return self.issuer.startswith("https:")

    @property
    def refusal(self) -> str | None:
        """Why this provider must not serve, or None when it may.

        Nobody but this machine reaches a loopback issuer. Any other one could be a
        production provider by mistake, so somebody has to say that it is not.
        """
        if _is_loopback(self.host.strip("[]")) or self.allow == DEVELOPMENT:
            return None
        return (
            f"{ISSUER} is {self.issuer}, which other machines can reach, and this "
            "provider is for development only. Point the API at a real provider, or "
            f"set {ALLOW}={DEVELOPMENT} when this is a development network."
        )


@lru_cache(maxsize=1)
def current() -> Environment:
    """Return what the environment of this process says."""
    return Environment.read(os.environ, BASE_DIR)


def _origin(value: str) -> str:
    parts = _split(ISSUER, value)
    if value != f"{parts.scheme}://{parts.netloc}":
        raise ImproperlyConfigured(
            f"{ISSUER} must be a scheme and a host only, without a trailing slash: "
            f"{value!r}."
        )
    return value


def _absolute_uri(value: str) -> str:
    if _split(RESOURCE, value).fragment:
        raise ImproperlyConfigured(f"{RESOURCE} must have no fragment: {value!r}.")
    return value


def _split(name: str, value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        usable = parts.port is None or parts.port > 0
    except ValueError:
        usable = False
    if (
        not usable
        or parts.scheme not in {"http", "https"}
        or not parts.hostname
        or "@" in parts.netloc
    ):
        raise ImproperlyConfigured(
            f"{name} must be an http or https URL with a host: {value!r}."
        )
    return parts


def _seconds(value: str) -> int:
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise ImproperlyConfigured(
            f"{ACCESS_TOKEN_SECONDS} must be a whole number of seconds above zero: "
            f"{value!r}."
        )
    return int(value)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
