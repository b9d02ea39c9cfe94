"""An OpenID provider on loopback that can be made to do everything wrong.

It does all right until a test changes a part of it: `answers` by path, `metadata`,
`authorization`, `tokens`, `claims`, `header`, `userinfo`, or how it signs. A member
that is changed to None is left out.
"""

import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import requests

from tests.jose.minting import base64url, mint, public_jwk
from tests.login import answers
from tests.login.answers import Answer, Held, Seen, as_json, as_text
from tests.login.granting import Client, Grant, Grants, RefusedError, authenticated

__all__ = [
    "AUTHORIZE",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "DISCOVERY",
    "END_SESSION",
    "EVERY",
    "JWKS",
    "REVOKE",
    "TOKEN",
    "USERINFO",
    "Provider",
    "serving",
]

DISCOVERY: Final = "/.well-known/openid-configuration"
JWKS: Final = "/keys"
AUTHORIZE: Final = "/authorize"
TOKEN: Final = "/token"
USERINFO: Final = "/userinfo"
END_SESSION: Final = "/end_session"
REVOKE: Final = "/revoke"
#: In `answers`: all paths that have no answer of their own there.
EVERY: Final = "*"

CLIENT_ID: Final = "web"
AUTHENTICATION: Final = "client_secret_basic client_secret_post private_key_jwt none"
#: Some of it has to be encoded, in a header and in a form.
CLIENT_SECRET: Final = "s3cret: of+the/client%"

#: Each provider of a run has a name of its own, whatever port it gets.
NUMBERS: Final = itertools.count(1)


@dataclass
class Provider:
    """What the provider answers now, and what it was asked."""

    url: str
    clients: dict[str, Client] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    grants: Grants = field(default_factory=Grants)
    #: Members of the discovery document.
    metadata: dict[str, Any] = field(default_factory=dict)
    #: Parameters of the authorization response.
    authorization: dict[str, str | None] = field(default_factory=dict)
    #: Members of a token response.
    tokens: dict[str, Any] = field(default_factory=dict)
    #: Claims and header of ID tokens.
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    #: Who is signed in here; None: nobody, which `prompt=none` is told.
    subject: str | None = "alice"
    #: The life of access and ID tokens in seconds.
    lifetime: int = 300
    clock: Callable[[], float] = time.time
    kind: str = "RSA"
    algorithm: str = "RS256"
    #: The keys in the JWKS. None: the one that signs.
    published: list[Mapping[str, Any]] | None = None
    #: Writes an ID token of its header and its claims. None: with the key.
    sign: Callable[[Mapping[str, Any], Mapping[str, Any]], str] | None = None
    held: dict[str, Held] = field(default_factory=dict)

    def count(self, path: str) -> int:
        """Tell how often a path was asked for."""
        return sum(request.path == path for request in self.seen)

    def last(self, path: str) -> Seen:
        """Give the last request of a path."""
        return next(each for each in reversed(self.seen) if each.path == path)

    def hold(self, path: str) -> Held:
        """Let requests of a path wait; then they are answered as ever."""
        self.held[path] = Held()
        return self.held[path]

    def visit(self, url: str) -> str:
        """Go to a URL of the provider as a browser does; give where it sends it."""
        answer = requests.get(url, allow_redirects=False, timeout=30)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def rotate(self, kind: str = "other RSA") -> None:
        """Sign with another key, and publish that one alone."""
        self.kind = kind

    def signed(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """Sign as this provider does now."""
        return mint(header, claims, algorithm=self.algorithm, kind=self.kind)

    def id_token(self, grant: Grant, access_token: str) -> str:
        """Write an ID token (OIDC Core 1.0 section 2)."""
        now = int(self.clock())
        claims = {
            "iss": self.url,
            "sub": self.subject,
            "aud": grant.client_id,
            "iat": now,
            "exp": now + self.lifetime,
            "auth_time": int(grant.started),
            "nonce": grant.request.get("nonce"),
            "at_hash": base64url(hashlib.sha256(access_token.encode()).digest()[:16]),
        }
        header = {"typ": "JWT", "alg": self.algorithm, "kid": self.kind}
        return (self.sign or self.signed)(header | self.header, claims | self.claims)

    def answer(self, seen: Seen) -> Answer:
        """Give the answer to a request: what the test wants, else a good one."""
        for path in (seen.path, EVERY):
            if path in self.answers:
                return self.answers[path]
        try:
            return GOOD.get(seen.path, _missing)(self, seen)
        except RefusedError as refusal:
            return answers.as_refusal(refusal.status, refusal.error)


@contextmanager
def serving() -> Iterator[Provider]:
    """Serve on a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen = Seen.by(self, prefix)
            provider.seen.append(seen)
            if held := provider.held.get(seen.path):
                held.wait()
            try:
                provider.answer(seen)(self)
            except OSError:
                # The client has gone, as it should after a time.
                self.close_connection = True

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    prefix = f"/op-{next(NUMBERS)}"
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider = Provider(f"http://127.0.0.1:{server.server_port}{prefix}")
        provider.clients[CLIENT_ID] = Client(CLIENT_ID, CLIENT_SECRET)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield provider
        finally:
            for held in provider.held.values():
                held.let_go()
            server.shutdown()
            thread.join()


def _discovery(provider: Provider, _seen: Seen) -> Answer:
    url = provider.url
    document = {
        "issuer": url,
        "jwks_uri": url + JWKS,
        "authorization_endpoint": url + AUTHORIZE,
        "token_endpoint": url + TOKEN,
        "userinfo_endpoint": url + USERINFO,
        "end_session_endpoint": url + END_SESSION,
        "revocation_endpoint": url + REVOKE,
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [provider.algorithm],
        "token_endpoint_auth_methods_supported": AUTHENTICATION.split(),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }
    return as_json(_kept(document | provider.metadata))


def _jwks(provider: Provider, _seen: Seen) -> Answer:
    keys = provider.published
    return as_json({"keys": [public_jwk(provider.kind)] if keys is None else keys})


def _authorize(provider: Provider, seen: Seen) -> Answer:
    asked = seen.query
    told: dict[str, str | None] = {"state": asked.get("state"), "iss": provider.url}
    if asked.get("client_id") not in provider.clients or "redirect_uri" not in asked:
        return as_text(400, "no such client, or no redirect_uri")
    if asked.get("prompt") == "none" and provider.subject is None:
        told["error"] = "login_required"
    elif "code_challenge" in asked and asked.get("code_challenge_method") != "S256":
        told["error"] = "invalid_request"
    else:
        scope, now = asked.get("scope", ""), provider.clock()
        grant = Grant(asked["client_id"], scope, asked, now)
        told["code"] = provider.grants.issue(provider.grants.codes, grant)
    return answers.redirect(
        asked["redirect_uri"], **_kept(told | provider.authorization)
    )


def _token(provider: Provider, seen: Seen) -> Answer:
    grants, form, now = provider.grants, seen.form, provider.clock()
    client = authenticated(provider.clients, seen, provider.url, now)
    match form.get("grant_type"):
        case "authorization_code":
            grant = grants.exchange(form, client)
        case "refresh_token":
            grant = grants.redeem(grants.refresh, form.get("refresh_token", ""), client)
        case "client_credentials" if client.secret or client.key:
            grant = Grant(client.client_id, form.get("scope", ""), form, now)
        case _:
            raise RefusedError(400, "unsupported_grant_type")
    access_token = grants.issue(grants.access, grant)
    document = {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": provider.lifetime,
        "scope": grant.scope,
    }
    if form["grant_type"] != "client_credentials":
        document["refresh_token"] = grants.issue(grants.refresh, grant)
        document["id_token"] = provider.id_token(grant, access_token)
        grants.secrets.append(str(document["id_token"]))
    return as_json(_kept(document | provider.tokens), {"Cache-Control": "no-store"})


def _userinfo(provider: Provider, seen: Seen) -> Answer:
    token = seen.headers.get("authorization", "").removeprefix("Bearer ")
    grant = provider.grants.access.get(token)
    if grant is None or grant.revoked:
        return as_text(401, "no", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    name = str(provider.subject)
    document = {
        "sub": name,
        "email": f"{name}@example.com",
        "email_verified": True,
        "name": name.title(),
        "preferred_username": name,
    }
    return as_json(_kept(document | provider.userinfo))


def _end_session(_provider: Provider, seen: Seen) -> Answer:
    if url := seen.query.get("post_logout_redirect_uri"):
        state = {"state": seen.query.get("state")}
        return answers.redirect(url, **_kept(state))
    return as_text(200, "signed out")


def _revoke(provider: Provider, seen: Seen) -> Answer:
    authenticated(provider.clients, seen, provider.url, provider.clock())
    provider.grants.revoke(seen.form.get("token", ""))
    return as_text(200, "")


def _missing(_provider: Provider, _seen: Seen) -> Answer:
    return as_text(404, "no")


def _kept(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


GOOD: Final[Mapping[str, Callable[[Provider, Seen], Answer]]] = {
    DISCOVERY: _discovery,
    JWKS: _jwks,
    AUTHORIZE: _authorize,
    TOKEN: _token,
    USERINFO: _userinfo,
    END_SESSION: _end_session,
    REVOKE: _revoke,
}
