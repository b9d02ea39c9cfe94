"""The requests, tokens and settings with which authentication is timed."""

import itertools
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.models import ExternalIdentity
from drf_apikit.models.identities import identity_digest
from drf_apikit.oidc import find_issuer
from drf_apikit.oidc.issuers import _REGISTRY
from drf_apikit.users.lookup import identity_with_user
from tests.benchmarks.authentication_provider import EMAIL, JWKS, KEY
from tests.jose.minting import AUDIENCE, HEADER, mint

__all__ = [
    "DIRECT",
    "Call",
    "Tokens",
    "accepted",
    "cold",
    "each_in_turn",
    "identity_by_django",
    "identity_by_statement",
    "issuers_of",
    "known_user",
    "ours",
    "refusal",
    "request_with",
]

FACTORY: Final = APIRequestFactory()
SUBJECT: Final = "user"
#: Issuers beside the provider's own, by what is added to its URL.
DIRECT: Final = "/direct"
LOCAL: Final = "/local"
STRANGERS: Final = 500
#: Seconds for which a token lives, or has been dead.
DAY: Final = 24 * 3600
#: Seconds after which the background has failed.
PATIENCE: Final = 30

Call = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one user, who is known to everybody, and of a machine client."""

    good: str
    #: Of an issuer whose `JWKS_URI` is given.
    direct: str
    #: Of an issuer whose subjects are primary keys.
    local: str
    machine: str
    expired: str
    unknown: str
    #: Each with a `kid` of its own.
    strangers: tuple[str, ...]

    @classmethod
    def of(cls, url: str, user: User) -> "Tokens":
        def signed(issuer: str = url, kid: str = KEY, **claims: Any) -> str:
            return _signed(user, iss=issuer, kid=kid, **claims)

        expired = int(time.time()) - 2 * DAY
        return cls(
            good=signed(),
            direct=signed(url + DIRECT),
            local=signed(url + LOCAL, sub=str(user.pk)),
            machine=signed(url + LOCAL, sub="shop"),
            expired=signed(iat=expired - DAY, exp=expired),
            unknown=signed(kid="unknown"),
            strangers=tuple(signed(kid=f"unknown-{n}") for n in range(STRANGERS)),
        )


def _signed(user: User, *, kid: str, **claims: Any) -> str:
    """Sign a token that everybody takes for an access token."""
    now = int(time.time())
    header = {**HEADER, "alg": "RS256", "kid": kid}
    base = {
        "aud": AUDIENCE,
        "sub": SUBJECT,
        "client_id": "shop",
        "scope": "ledger:read ledger:write",
        "iat": now,
        "exp": now + DAY,
        "jti": uuid.uuid4().hex,
        "token_type": "access",
        "user_id": str(user.pk),
    }
    return mint(header, {**base, **claims}, algorithm="RS256", kind=KEY)


def known_user(issuer: str) -> User:
    """Make the user whom each way of authenticating finds."""
    user = User.objects.create(username=SUBJECT, email=EMAIL)
    for name in (issuer, issuer + DIRECT):
        ExternalIdentity.objects.create(issuer=name, subject=SUBJECT, user=user)
    return user


def issuers_of(url: str) -> Mapping[str, Any]:
    """Give ISSUERS; all of them have the key of the provider."""
    found = {"AUDIENCE": AUDIENCE, "INSECURE_LOOPBACK_HTTP": True}
    given = {**found, "JWKS_URI": url + JWKS}
    return {
        url: found,
        url + DIRECT: given,
        url + LOCAL: {**given, "USERS": "local"},
    }


def request_with(token: str) -> Request:
    return Request(FACTORY.get("/", headers={"Authorization": f"Bearer {token}"}))


def ours(request: Request) -> Any:
    # A request that was asked before knows its query.
    vars(request._request).pop("GET", None)
    return JWTBearerAuthentication().authenticate(request)


def cold(issuer: str, request: Request) -> Any:
    """Authenticate where no key is known, and let the background come to its end."""
    cache.clear()
    vars(_REGISTRY)["_issuers"].clear()
    found = ours(request)
    source: Any = find_issuer(issuer).source
    assert source.settle(PATIENCE)
    return found


def accepted(call: Call, user: User | None) -> Call:
    """Give a call that has found this user, or anybody."""
    found, _ = call()
    assert user in {None, found}
    return call


def refusal(call: Call) -> Call:
    """Give a call whose refusal is caught."""

    def refused() -> int:
        try:
            call()
        except APIException as error:
            return error.status_code
        raise AssertionError("it was accepted")

    refused()
    return refused


def each_in_turn(authenticate: Callable[[Any], Any], tokens: tuple[str, ...]) -> Call:
    requests: Iterator[Request] = itertools.cycle(map(request_with, tokens))
    return lambda: authenticate(next(requests))


def identity_by_django(issuer: str) -> Any:
    digest = identity_digest(issuer, SUBJECT)
    rows = ExternalIdentity.objects.using(connection.alias).select_related("user")
    return list(rows.filter(digest=digest))


def identity_by_statement(issuer: str) -> Any:
    return identity_with_user(identity_digest(issuer, SUBJECT), connection.alias)
