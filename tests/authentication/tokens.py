"""Verified tokens, made without signing them, and what resolving them costs."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.db import connection
from django.test.utils import CaptureQueriesContext

from drf_apikit.authentication import AccessToken
from drf_apikit.authentication.principals import resolve_principal
from drf_apikit.conf import IssuerSettings

__all__ = ["ISSUER", "claims_of", "cost", "resolved", "token"]

ISSUER: Final = "https://id.example"
#: What begins and ends transactions is not counted.
_FRAME: Final = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")


def claims_of(sub: str = "s-1", **claims: Any) -> dict[str, Any]:
    base = {"iss": ISSUER, "client_id": "shop", "iat": 1000, "exp": 1300}
    return {**base, "sub": sub, **claims}


def token(settings: Mapping[str, Any], sub: str = "s-1", **claims: Any) -> AccessToken:
    return AccessToken(claims_of(sub, **claims), IssuerSettings(**settings))


def resolved(settings: Mapping[str, Any], sub: str = "s-1", **claims: Any) -> Any:
    return resolve_principal(token(settings, sub, **claims))


def cost(call: Callable[[], Any]) -> int:
    """Count the statements of a call."""
    with CaptureQueriesContext(connection) as captured:
        call()
    return sum(not query["sql"].startswith(_FRAME) for query in captured)
