"""Authentication: one RS256 token for us, for simplejwt and for PyJWT alone."""

import json
import time
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.contrib.auth.models import User
from django.test import override_settings
from jwt.algorithms import RSAAlgorithm
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
# Read when its modules are imported, and never again.
settings.SIMPLE_JWT = {"ALGORITHM": "RS256", "VERIFYING_KEY": PUBLIC_PEM.decode()}

from rest_framework_simplejwt.authentication import JWTAuthentication

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.jose import parse_compact, verify
from drf_apikit.models import ExternalIdentity
from drf_apikit.oidc import find_issuer
from tests.benchmarks.harness import Goal, measure, options, throw_away_database

ISSUER = "https://issuer.test"
AUDIENCE = "https://api.test"
FACTORY = APIRequestFactory()


def jwks() -> dict[str, Any]:
    key = json.loads(RSAAlgorithm.to_jwk(KEY.public_key()))
    return {"keys": [{**key, "kid": "k", "alg": "RS256", "use": "sig"}]}


def token_of(user: User) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "subject",
        "client_id": "client",
        "scope": "read write",
        "iat": now,
        "exp": now + 3600,
        "jti": uuid.uuid4().hex,
        "token_type": "access",
        "user_id": str(user.pk),
    }
    headers = {"typ": "at+jwt", "kid": "k"}
    return jwt.encode(claims, KEY, algorithm="RS256", headers=headers)


def main() -> None:
    chosen = options(__doc__)
    issuers = {ISSUER: {"AUDIENCE": AUDIENCE, "JWKS": jwks()}}
    with (
        throw_away_database(chosen.database),
        override_settings(DRF_APIKIT={"AUTHENTICATION": {"ISSUERS": issuers}}),
    ):
        user = User.objects.create(username="user")
        ExternalIdentity.objects.create(issuer=ISSUER, subject="subject", user=user)
        token = token_of(user)
        parsed = parse_compact(token)
        issuer, now = find_issuer(ISSUER), time.time()
        rs256 = RSAAlgorithm(RSAAlgorithm.SHA256)
        keys: Any = issuer.keys
        public = KEY.public_key()
        bearer = {"Authorization": f"Bearer {token}"}
        request = Request(FACTORY.get("/", headers=bearer))
        ours, theirs = JWTBearerAuthentication(), JWTAuthentication()
        for backend in (ours, theirs):
            found: Any = backend.authenticate(request)
            assert found[0] == user
        cases = {
            "authenticate()": lambda: ours.authenticate(request),
            "simplejwt": lambda: theirs.authenticate(request),
            "parse and verify": lambda: verify(
                parse_compact(token), keys, issuer.policy, now
            ),
            "verify": lambda: verify(parsed, keys, issuer.policy, now),
            "raw signature": lambda: rs256.verify(
                parsed.signing_input, public, parsed.signature
            ),
            "user query": lambda: User.objects.get(pk=user.pk),
        }
        goals = [
            Goal("authenticate()", "simplejwt", "at most 0.33"),
            Goal("verify", "raw signature", "at most 2"),
            Goal("parse and verify", "raw signature", "at most 2"),
            Goal("authenticate()", "user query"),
        ]
        title = f"Authentication on {chosen.database}, RS256 with 2048 bits"
        measure(title, cases, goals, chosen.rounds, repeat=10)


if __name__ == "__main__":
    main()
