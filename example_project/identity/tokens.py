"""Access tokens as RFC 9068 says, and the signature check of ID token hints."""

import time
import uuid
from functools import lru_cache
from typing import Any

import jwt
from oauth2_provider.settings import oauth2_settings
from oauth2_provider.utils import jwk_from_pem
from oauthlib.common import generate_token

from identity import environment
from identity.keys import private_key
from identity.models import ClientPolicy
from identity.policies import policy_of

__all__ = [
    "generate_access_token",
    "generate_refresh_token",
    "id_token_claims",
    "subject_for",
]

ALGORITHM = "RS256"


def generate_access_token(request: Any, refresh_token: bool = False) -> str:
    """Return a new access token for an oauthlib token request.

    Clients of the opaque kind get a random string; all others a signed JWT whose
    audience is the requested `resource` (RFC 8707) or this provider's default one.
    """
    del refresh_token
    # The toolkit resolves the audience only when it saves the finished token.
    oauth2_settings.OAUTH2_VALIDATOR_CLASS().resolve_resource(request)
    wanted = policy_of(request.client).access_token_format
    if wanted == ClientPolicy.AccessTokenFormat.OPAQUE:
        return str(generate_token())
    return _sign(_access_token_claims(request))


def generate_refresh_token(request: Any, refresh_token: bool = True) -> str:
    """Return a new refresh token, opaque for every client."""
    del request, refresh_token
    return str(generate_token())


def id_token_claims(token: str) -> dict[str, Any] | None:
    """Return the claims of an ID token that this provider signed, expired or not.

    None for anything else: what is not ours is never parsed further.
    """
    try:
        decoded = jwt.decode_complete(
            token,
            private_key(oauth2_settings.OIDC_RSA_PRIVATE_KEY).public_key(),
            algorithms=[ALGORITHM],
            issuer=environment.current().issuer,
            options={
                "verify_exp": False,
                "verify_aud": False,
                "require": ["iss", "sub", "aud", "jti"],
            },
        )
    except (jwt.PyJWTError, UnicodeError):
        return None
    if decoded["header"].get("typ") != "JWT":
        return None
    claims: dict[str, Any] = decoded["payload"]
    return claims


def subject_for(user: Any, client_id: str) -> str:
    """Return the `sub` of a token: the user's, or the client's own without one."""
    return client_id if user is None else str(user.subject)


def _access_token_claims(request: Any) -> dict[str, Any]:
    # A machine's request has no user, whatever parameters it was sent with.
    is_machine = request.grant_type == "client_credentials"
    client_id: str = request.client.client_id
    audiences: list[str] = request.resource
    now = int(time.time())
    return {
        "iss": environment.current().issuer,
        "sub": subject_for(None if is_machine else request.user, client_id),
        "aud": audiences[0] if len(audiences) == 1 else audiences,
        "client_id": client_id,
        "scope": " ".join(request.scopes),
        "iat": now,
        "exp": now + request.expires_in,
        "jti": str(uuid.uuid4()),
    }


def _sign(claims: dict[str, Any]) -> str:
    pem = oauth2_settings.OIDC_RSA_PRIVATE_KEY
    header = {"typ": "at+jwt", "kid": _key_id(pem)}
    return jwt.encode(claims, private_key(pem), algorithm=ALGORITHM, headers=header)


@lru_cache(maxsize=4)
def _key_id(pem: str) -> str:
    # As in the toolkit's own key set and ID tokens: the RFC 7638 thumbprint.
    return str(jwk_from_pem(pem).thumbprint())
