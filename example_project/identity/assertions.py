"""Clients that authenticate by a signature: `private_key_jwt`.

RFC 7523 sections 2.2 and 3, OpenID Connect Core section 9.
"""

import hashlib
import time
from typing import Any, Final

import jwt
from oauth2_provider.models import get_application_model

from identity import environment
from identity.client_keys import ClientKey, client_keys
from identity.models import UsedAssertion
from identity.policies import policy_of

__all__ = ["ASSERTION_TYPE", "client_of"]

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TYPES: Final = (None, "JWT", "client-authentication+jwt")
CLIENT_ID_LENGTH: Final = 255
#: Used ones are remembered until they expire: so nobody may make them last.
LONGEST_LIFE: Final = 600
LEEWAY: Final = 10
REQUIRED: Final = ("iss", "sub", "aud", "exp", "jti")


def client_of(assertion: str) -> Any:
    """Return the client that signed this assertion just now, or None.

    An assertion works once: this uses it up, whatever becomes of the request.
    """
    try:
        header = jwt.get_unverified_header(assertion)
        named = jwt.decode(assertion, options={"verify_signature": False}).get("sub")
        client = _registered(named)
        key = client and _key(client, header)
        if not key or header.get("typ") not in TYPES:
            return None
        digest, expires = _verified(assertion, key, client.client_id)
    except (jwt.PyJWTError, UnicodeError, ValueError, OverflowError):
        return None
    return client if _is_new(client, digest, expires) else None


def _registered(client_id: Any) -> Any:
    if not isinstance(client_id, str) or "\0" in client_id:
        return None
    if not 0 < len(client_id) <= CLIENT_ID_LENGTH:
        return None
    return get_application_model().objects.filter(client_id=client_id).first()


def _key(client: Any, header: dict[str, Any]) -> ClientKey | None:
    jwks = policy_of(client).jwks
    keys = client_keys(jwks) if jwks else []
    named = header.get("kid")
    fitting = [key for key in keys if named is None or key.key_id in {None, named}]
    return fitting[0] if len(fitting) == 1 else None


def _verified(assertion: str, key: ClientKey, client_id: str) -> tuple[str, int]:
    """Check everything but whether it came before (RFC 7523 section 3).

    Returns what to remember of it: a digest of its name, and until when.
    """
    issuer = environment.current().issuer
    claims = jwt.decode(
        assertion,
        key.key,
        algorithms=[key.algorithm],
        issuer=client_id,
        subject=client_id,
        audience=issuer,
        leeway=LEEWAY,
        options={"require": list(REQUIRED)},
    )
    # One that is for others as well is one that they can use here.
    if claims["aud"] not in (issuer, [issuer]):
        raise jwt.InvalidAudienceError("for others, too")
    if int(claims["exp"]) > time.time() + LONGEST_LIFE:
        raise jwt.InvalidTokenError("it lives too long")
    if not claims["jti"]:
        raise jwt.InvalidTokenError("it has no name")
    return hashlib.sha256(claims["jti"].encode()).hexdigest(), int(claims["exp"])


def _is_new(client: Any, digest: str, expires: int) -> bool:
    UsedAssertion.objects.filter(expires__lt=int(time.time()) - 2 * LEEWAY).delete()
    _used, is_new = UsedAssertion.objects.get_or_create(
        application=client, digest=digest, defaults={"expires": expires}
    )
    return is_new
