"""A provider on loopback: good, gone, or bad in one of several ways."""

import json
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

__all__ = [
    "AUDIENCE",
    "CANARY",
    "DISCOVERY",
    "GONE",
    "GOOD",
    "HANGS",
    "JWKS",
    "OUTAGES",
    "SCOPE",
    "Hold",
    "Key",
    "Provider",
    "providing",
]

AUDIENCE: Final = "https://fleet.test"
SCOPE: Final = "read"
DISCOVERY: Final = "/.well-known/openid-configuration"
JWKS: Final = "/keys"
#: Where the keys of another issuer are.
OTHERS: Final = "/others-keys"
#: Where a redirection leads, and nobody may go.
CANARY: Final = "/canary"
LOOK_SECONDS: Final = 0.02
ANSWER_SECONDS: Final = 30.0

GOOD: Final = "is good"
GONE: Final = "is down"
HANGS: Final = "hangs"
#: What can be wrong with a provider.
OUTAGES: Final = (
    GONE,
    "answers 500",
    HANGS,
    "redirects",
    "sends HTML",
    "sends another issuer's document",
)


class Key:
    """A signing key with a name of its own."""

    def __init__(self) -> None:
        self.kid = uuid.uuid4().hex
        self._private = ec.generate_private_key(ec.SECP256R1())

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key (RFC 7517)."""
        public = ECAlgorithm.to_jwk(self._private.public_key(), as_dict=True)
        return {**public, "kid": self.kid, "alg": "ES256", "use": "sig"}

    def token(self, issuer: str, now: float) -> str:
        """Sign an access token that is good from now on for five minutes."""
        claims = {
            "iss": issuer,
            "aud": AUDIENCE,
            "sub": "robot",
            "client_id": "robot",
            "scope": SCOPE,
            "iat": int(now) - 1,
            "exp": int(now) + 300,
            "jti": uuid.uuid4().hex,
        }
        headers = {"typ": "at+jwt", "kid": self.kid}
        return jwt.encode(claims, self._private, algorithm="ES256", headers=headers)


class Hold:
    """A fetch that gets no answer, until it is cut or its client has gone."""

    def __init__(self) -> None:
        self._cut = threading.Event()

    def cut(self) -> None:
        """Hang up."""
        self._cut.set()

    def wait(self, connection: socket.socket) -> None:
        """Return when it is over."""
        while not self._cut.wait(LOOK_SECONDS):
            if select.select([connection], [], [], 0)[0]:
                return


@dataclass(slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: str
    headers: Mapping[str, str]


@dataclass
class Provider:
    """What the provider does now, and what it was asked for."""

    url: str = ""
    keys: list[Key] = field(default_factory=list)
    #: When, and for what path.
    requests: list[tuple[float, str]] = field(default_factory=list)
    #: The fetches that wait for an answer just now.
    held: list[Hold] = field(default_factory=list)
    state: str = GOOD
    #: Publishes keys where the document of another issuer leads.
    intruder: Key = field(default_factory=Key)
    now: Callable[[], float] = time.time
    listen: Callable[[bool], object] = bool

    def asked(self, path: str, since: float = 0) -> list[float]:
        """Tell when it was asked for a path."""
        return [t for t, asked in self.requests if asked == path and t >= since]

    def turn(self, state: str) -> None:
        """Become good, or bad in one of the ways."""
        self.cut()
        if (state == GONE) != (self.state == GONE):
            self.listen(state != GONE)
        self.state = state

    def cut(self) -> None:
        """Hang up on all whom it lets wait."""
        for hold in list(self.held):
            hold.cut()

    def reply(self, path: str) -> Reply:
        """Give the answer to a request."""
        match self.state:
            case "answers 500":
                return _reply(500, "no")
            case "redirects" if path != CANARY:
                return _reply(302, "", Location=self.url + CANARY)
            case "sends HTML":
                return _reply(200, "<html>Soon back!</html>", kind="text/html")
            case "sends another issuer's document":
                return self._documents("https://other.test", OTHERS, path)
            case _:
                return self._documents(self.url, JWKS, path)

    def _documents(self, issuer: str, place: str, path: str) -> Reply:
        keys = self.keys if place == JWKS else [self.intruder]
        documents: dict[str, Any] = {
            CANARY: {"keys": [self.intruder.jwk]},
            DISCOVERY: {"issuer": issuer, "jwks_uri": self.url + place},
            place: {"keys": [key.jwk for key in keys]},
        }
        if path not in documents:
            return _reply(404, "no")
        return _reply(200, json.dumps(documents[path]), kind="application/json")


def _reply(
    status: int, body: str, *, kind: str = "text/plain", **headers: str
) -> Reply:
    return Reply(status, body, {"Content-Type": kind, **headers})


@contextmanager
def providing() -> Iterator[Provider]:
    """Serve on a port of 127.0.0.1 that stays its own when it is down."""
    provider = Provider(keys=[Key()])
    socket_ = _Port(provider)
    provider.url = f"http://127.0.0.1:{socket_.number}"
    provider.listen = socket_.listen
    socket_.listen(True)
    try:
        yield provider
    finally:
        provider.cut()
        socket_.close()


class _Port:
    """A port that is listened on, or only kept."""

    def __init__(self, provider: Provider) -> None:
        self._handler = _handler(provider)
        self._keeper = self._bound(0)
        self.number: int = self._keeper.getsockname()[1]
        self._server: ThreadingHTTPServer | None = None
        self._thread = threading.Thread()

    def listen(self, wanted: bool) -> None:
        """Serve, or let the system refuse whoever comes."""
        if not wanted:
            self.close()
            self._keeper = self._bound(self.number)
            return
        self._keeper.close()
        server = ThreadingHTTPServer(("127.0.0.1", self.number), self._handler)
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        """Stop, and let the port go."""
        self._keeper.close()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            self._thread.join()

    @staticmethod
    def _bound(number: int) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", number))
        return bound


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = ANSWER_SECONDS

        def do_GET(self) -> None:
            provider.requests.append((provider.now(), self.path))
            try:
                if provider.state == HANGS:
                    self._hold()
                else:
                    self._answer(provider.reply(self.path))
            except OSError:
                # The client has gone, as it should after a time.
                self.close_connection = True

        def _hold(self) -> None:
            hold = Hold()
            provider.held.append(hold)
            try:
                hold.wait(self.connection)
            finally:
                provider.held.remove(hold)
            self.close_connection = True

        def _answer(self, reply: Reply) -> None:
            body = reply.body.encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
