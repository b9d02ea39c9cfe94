"""Tokens over HTTP: what a resource server answers to one."""

import time
from typing import Any, Final

from rest_framework.test import APIClient

from drf_apikit.testing import assert_problem
from tests.jose.minting import AUDIENCE, ISSUER, mint, public_jwk

__all__ = ["KINDS", "answer", "made", "refused", "taken", "trusting"]

KINDS: Final = ("RSA", "P-256", "P-384", "P-521", "Ed25519")


def trusting(jwks: Any = None, **entry: Any) -> dict[str, Any]:
    """Give settings that trust the issuer of `made`, with keys of all kinds."""
    keys = {"keys": [public_jwk(kind) for kind in KINDS]} if jwks is None else jwks
    issuer = {"AUDIENCE": AUDIENCE, "JWKS": keys, **entry}
    return {"AUTHENTICATION": {"ISSUERS": {ISSUER: issuer}}}


def made(
    header: dict[str, Any] | None = None,
    *,
    algorithm: str = "ES256",
    kind: str = "P-256",
    **claims: Any,
) -> str:
    """Sign a token of a machine; None leaves a member or claim out."""
    now = int(time.time())
    head = {"alg": algorithm, "typ": "at+jwt", "kid": kind, **(header or {})}
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "robot",
        "client_id": "robot",
        "iat": now,
        "exp": now + 300,
        "jti": "id-1",
        **claims,
    }
    return mint(head, payload, algorithm=algorithm, kind=kind)


def answer(token: str, url: str = "/me/") -> Any:
    """Send a token as RFC 6750 section 2.1 says."""
    return APIClient().get(url, headers={"Authorization": f"Bearer {token}"})


def taken(token: str) -> None:
    """Assert that a token is good."""
    response = answer(token)
    assert response.status_code == 200, response.content


def refused(token: str) -> None:
    """Assert the 401 of RFC 6750 section 3.1."""
    response = answer(token)
    assert_problem(response, 401, "invalid-token")
    assert response.headers["WWW-Authenticate"] == (
        'Bearer realm="api", error="invalid_token"'
    )
