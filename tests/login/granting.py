"""Codes and tokens of a scripted provider, each good for what it should be."""

import base64
import hashlib
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

import jwt

from tests.jose.minting import base64url, private_key
from tests.login.answers import Seen

__all__ = ["Client", "Grant", "Grants", "RefusedError", "authenticated"]


class RefusedError(Exception):
    """The provider says no: a status and an error code of OAuth."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


@dataclass
class Client:
    """Who may ask for tokens; `key` is the kind of key that signs its assertions."""

    client_id: str
    secret: str | None = None
    key: str | None = None


@dataclass
class Grant:
    """What was granted to whom; all tokens that came of it end with it."""

    client_id: str
    scope: str
    #: The parameters of the authorization request.
    request: Mapping[str, str]
    started: float
    revoked: bool = False


@dataclass
class Grants:
    """All that was granted. A code or refresh token that comes again ends its grant."""

    #: Every code and token that was given out.
    secrets: list[str] = field(default_factory=list)
    codes: dict[str, Grant] = field(default_factory=dict)
    access: dict[str, Grant] = field(default_factory=dict)
    refresh: dict[str, Grant] = field(default_factory=dict)
    spent: dict[str, Grant] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def issue(self, kind: dict[str, Grant], grant: Grant) -> str:
        """Give out a code or a token."""
        secret = secrets.token_urlsafe(24)
        kind[secret] = grant
        self.secrets.append(secret)
        return secret

    def redeem(self, kind: dict[str, Grant], secret: str, client: Client) -> Grant:
        """Take a code or refresh token back, which works once."""
        with self.lock:
            if grant := self.spent.get(secret):
                grant.revoked = True
            grant = kind.get(secret)
            if grant is None or grant.revoked or grant.client_id != client.client_id:
                raise RefusedError(400, "invalid_grant")
            self.spent[secret] = kind.pop(secret)
            return grant

    def exchange(self, form: Mapping[str, str], client: Client) -> Grant:
        """Take a code with its verifier (RFC 7636 section 4.6)."""
        grant = self.redeem(self.codes, form.get("code", ""), client)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if grant.request.get("code_challenge", "") not in (
            base64url(digest),
            # Asked for without, it has to come without (RFC 9700 section 2.1.1).
            "" if "code_verifier" not in form else None,
        ):
            raise RefusedError(400, "invalid_grant")
        if form.get("redirect_uri") != grant.request.get("redirect_uri"):
            raise RefusedError(400, "invalid_grant")
        return grant

    def revoke(self, secret: str) -> None:
        """End the grant of a token (RFC 7009)."""
        for kind in (self.access, self.refresh):
            if grant := kind.get(secret):
                grant.revoked = True

    def revoke_all(self) -> None:
        """End everything."""
        for kind in (self.codes, self.access, self.refresh, self.spent):
            for grant in kind.values():
                grant.revoked = True


def authenticated(
    clients: Mapping[str, Client], seen: Seen, audience: str, now: float
) -> Client:
    """Find the client of a request, in the one way in which it says who it is."""
    form = seen.form
    scheme, _, credentials = seen.headers.get("authorization", "").partition(" ")
    if scheme == "Basic":
        name, _, password = base64.b64decode(credentials).decode().partition(":")
        client = clients.get(unquote_plus(name))
        good = client is not None and client.secret == unquote_plus(password)
    elif assertion := form.get("client_assertion"):
        client = clients.get(_claims(assertion).get("sub", ""))
        good = client is not None and _is_signed(assertion, client, audience, now)
    else:
        client = clients.get(form.get("client_id", ""))
        secret = form.get("client_secret")
        good = client is not None and not client.key and client.secret == secret
    twice = scheme == "Basic" and "client_secret" in form
    if client is None or not good or twice:
        raise RefusedError(401, "invalid_client")
    return client


def _claims(assertion: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    return claims


def _is_signed(assertion: str, client: Client, audience: str, now: float) -> bool:
    if not client.key:
        return False
    try:
        claims = jwt.decode(
            assertion,
            private_key(client.key).public_key(),
            algorithms=["RS256", "ES256", "ES384", "ES512", "EdDSA"],
            audience=audience,
            issuer=client.client_id,
            options={
                "require": ["iss", "sub", "aud", "exp", "jti"],
                # The provider's clock counts, which a test may have set.
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.PyJWTError:
        return False
    return bool(claims["sub"] == client.client_id and claims["exp"] > now)
