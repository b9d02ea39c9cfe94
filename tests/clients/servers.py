"""A token endpoint and an API on loopback, which do what a test tells them to."""

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl

__all__ = ["Api", "Asked", "Endpoint", "Reply", "serving"]

DISCOVERY: Final = "/.well-known/openid-configuration"
TOKEN: Final = "/token"


@dataclass(frozen=True)
class Asked:
    """A request as it has arrived; `lane` is its connection."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    lane: int

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), strict_parsing=True))

    @property
    def token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def as_json(document: Any, status: int = 200) -> Reply:
    headers = {"Content-Type": "application/json"}
    return Reply(status, json.dumps(document).encode(), headers)


@dataclass
class Endpoint:
    """A token endpoint: each request gets another token, unless `refuse` was called."""

    url: str
    life: int | None = 100
    given: int = 0
    asked: list[Asked] = field(default_factory=list)
    #: Called with each request for a token; a reply of it is sent instead.
    before: Callable[[Asked], Reply | None] = lambda _: None

    @property
    def requests(self) -> int:
        """How often it was asked for a token."""
        return [one.path for one in self.asked].count(TOKEN)

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        if asked.path == DISCOVERY:
            return as_json(self.metadata())
        if (reply := self.before(asked)) is not None:
            return reply
        self.given += 1
        document = {"access_token": f"token-{self.given}", "token_type": "Bearer"}
        return as_json({**document, "expires_in": self.life})

    def metadata(self) -> dict[str, Any]:
        paths = {"authorization_endpoint": "/authorize", "jwks_uri": "/keys"}
        urls = {name: self.url + path for name, path in paths.items()}
        return {"issuer": self.url, "token_endpoint": self.url + TOKEN, **urls}

    def refuse(self, error: str = "invalid_client", description: str = "") -> None:
        document = {"error": error, "error_description": description}
        self.before = lambda _: as_json(document, 401)

    def fail(self, status: int = 503) -> None:
        self.before = lambda _: Reply(status)

    def mend(self) -> None:
        self.before = lambda _: None


@dataclass
class Api:
    """An API that answers 401 to all but some tokens, and else does what is set."""

    url: str
    good: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    then: Callable[[Asked], Reply] = lambda asked: Reply(body=asked.body)
    refusal: Reply = Reply(401, b"who are you?")

    @property
    def tokens(self) -> list[str]:
        """The tokens that have come."""
        return [one.token for one in self.asked]

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        return self.then(asked) if asked.token in self.good else self.refusal


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[Asked], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.lanes: list[Any] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Who has had enough hangs up.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.lanes.append(self.client_address)

    def do_GET(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def do_PUT(self) -> None:
        self.respond()

    def respond(self) -> None:
        lane = self.server.lanes.index(self.client_address)
        body, headers = self._body(), dict(self.headers)
        asked = Asked(self.command, self.path, headers, body, lane)
        reply = self.server.answer(asked)
        self.send_response(reply.status)
        length = {"Content-Length": str(len(reply.body))}
        for name, value in {**length, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(answer: Callable[[Asked], Reply]) -> Iterator[str]:
    """Serve on a free port of 127.0.0.1; give the URL."""
    with _Server(answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
