"""Who else authenticates requests by tokens, set up as their documentation says.

Every call has an authenticator of its own, as each request has with DRF.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from django.core.cache import cache

from tests.benchmarks.authentication_provider import JWKS, KEY, USERINFO
from tests.jose.minting import AUDIENCE, private_key

__all__ = [
    "BY_URL",
    "MOZILLA",
    "OIDC_AUTH",
    "SIMPLEJWT",
    "Peer",
    "peers_of",
    "settings_of",
]

#: By the names that pip has for them.
SIMPLEJWT: Final = "simplejwt"
BY_URL: Final = "simplejwt, JWK_URL"
OIDC_AUTH: Final = "drf-oidc-auth"
MOZILLA: Final = "mozilla-django-oidc"
PEERS: Final = (SIMPLEJWT, BY_URL, OIDC_AUTH, MOZILLA)

_DAY: Final = 24 * 3600

Authenticate = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Peer:
    """A way to authenticate a request, and the same where no key is known."""

    warm: Authenticate
    cold: Authenticate


def peers_of(issuer: str) -> Mapping[str, Peer]:
    """Set the peers up for an issuer; those that are not installed are left out."""
    made = {**_simplejwt(issuer), MOZILLA: _mozilla()}
    if find_spec("oidc_auth"):
        made[OIDC_AUTH] = _oidc_auth(issuer)
    else:
        print(f"{OIDC_AUTH} is missing, and left out: pip install -e '.[bench]'")
    return {name: made[name] for name in PEERS if name in made}


def settings_of(issuer: str) -> dict[str, Any]:
    """Give Django's settings for those that read them at each request."""
    return {
        "OIDC_DRF_AUTH_BACKEND": "mozilla_django_oidc.auth.OIDCAuthenticationBackend",
        "OIDC_OP_TOKEN_ENDPOINT": issuer,
        "OIDC_OP_USER_ENDPOINT": issuer + USERINFO,
        "OIDC_RP_CLIENT_ID": "api",
        "OIDC_RP_CLIENT_SECRET": "secret",
    }


def _simplejwt(issuer: str) -> dict[str, Peer]:
    """Replace what simplejwt makes of its settings when it is imported."""
    authenticator = import_module("rest_framework_simplejwt.authentication")
    state: Any = import_module("rest_framework_simplejwt.state")
    backend = import_module("rest_framework_simplejwt.backends").TokenBackend
    pem = private_key(KEY).public_key()
    pem = pem.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()

    def made(key: str, url: str | None = None) -> Any:
        return backend("RS256", None, key, AUDIENCE, issuer, url)

    def authenticate(request: Any, chosen: Any) -> Any:
        state.token_backend = chosen
        return authenticator.JWTAuthentication().authenticate(request)

    by_key, url = made(pem), issuer + JWKS
    by_url = made("", url)
    return {
        SIMPLEJWT: Peer(
            lambda request: authenticate(request, by_key),
            lambda request: authenticate(request, made(pem)),
        ),
        BY_URL: Peer(
            lambda request: authenticate(request, by_url),
            lambda request: authenticate(request, made("", url)),
        ),
    }


def _oidc_auth(issuer: str) -> Peer:
    options = import_module("oidc_auth.settings").api_settings
    named = {
        "OIDC_ENDPOINT": issuer,
        "OIDC_CLAIMS_OPTIONS": {"aud": {"essential": True, "value": AUDIENCE}},
        "JWT_AUTH_HEADER_PREFIX": "Bearer",
        # It refuses tokens of an earlier hour, and the benchmark may take longer.
        "OIDC_LEEWAY": _DAY,
    }
    # They were read when it was imported.
    for name, value in named.items():
        setattr(options, name, value)
    authenticator = import_module("oidc_auth.authentication")

    def warm(request: Any) -> Any:
        return authenticator.JSONWebTokenAuthentication().authenticate(request)

    def cold(request: Any) -> Any:
        cache.clear()
        return warm(request)

    return Peer(warm, cold)


def _mozilla() -> Peer:
    """Have it ask the issuer about each token, which is all that it does."""
    authenticator = import_module("mozilla_django_oidc.contrib.drf")

    def authenticate(request: Any) -> Any:
        return authenticator.OIDCAuthentication().authenticate(request)

    return Peer(authenticate, authenticate)
