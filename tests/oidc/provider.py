"""An OpenID provider on loopback that can be made to do everything wrong."""

import itertools
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from drf_apikit.oidc.jwks import KeyStore
from tests.jose.minting import CLAIMS, HEADER, KEY_OF, mint, public_jwk

__all__ = ["DISCOVERY", "JWKS", "Clock", "Provider", "serving"]

DISCOVERY: Final = "/.well-known/openid-configuration"
JWKS: Final = "/keys"

#: Writes the whole answer of one request.
Answer = Callable[[BaseHTTPRequestHandler], None]


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, now: float = 1_800_000_000) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Provider:
    """What the provider answers now, and what it was asked."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    #: Of each POST.
    bodies: list[bytes] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    #: Those that ask it, to be waited for at its end.
    stores: list[KeyStore] = field(default_factory=list)

    @property
    def fetches(self) -> int:
        """How often the keys were asked for."""
        return self.requests.count(JWKS)

    @property
    def settings(self) -> dict[str, Any]:
        """The entry for ISSUERS."""
        return {"AUDIENCE": CLAIMS["aud"], "INSECURE_LOOPBACK_HTTP": True}

    def metadata(self, **members: Any) -> dict[str, Any]:
        """Write the discovery document; a member of None is left out."""
        document = {"issuer": self.url, "jwks_uri": self.url + JWKS, **members}
        return {name: value for name, value in document.items() if value is not None}

    def publish(self, *jwks: Mapping[str, Any]) -> None:
        """Serve discovery and these keys."""
        self.answers[DISCOVERY] = as_json(self.metadata())
        self.answers[JWKS] = as_json({"keys": list(jwks)})

    def move(self, metadata: Mapping[str, Any]) -> None:
        """Serve this discovery document, and no keys where they were."""
        self.answers[DISCOVERY] = as_json(metadata)
        self.answers[JWKS] = as_text(410, "gone")

    def fail(self, status: int = 500) -> None:
        """Answer with an error whatever is asked."""
        self.answers = dict.fromkeys((DISCOVERY, JWKS), as_text(status, "no"))

    def token(self, kind: str = "P-256", **claims: Any) -> str:
        """Sign a token with the key of a kind."""
        algorithm = next(name for name in KEY_OF if KEY_OF[name] == kind)
        header = {**HEADER, "alg": algorithm, "kid": kind}
        payload = {**CLAIMS, "iss": self.url, **claims}
        return mint(header, payload, algorithm=algorithm, kind=kind)


def as_json(document: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer 200 with a document."""
    told = {"Content-Type": "application/json", **(headers or {})}
    return as_text(200, json.dumps(document), told)


def as_text(status: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with a status and a body."""
    body = text.encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Provider]:
    """Serve on a free port of 127.0.0.1, with one good key to begin with."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.requests.append(self.path)
            provider.headers.append(dict(self.headers))
            try:
                provider.answers.get(self.path, as_text(404, "no"))(self)
            except OSError:
                # The client has gone, as it should after a time.
                self.close_connection = True

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            provider.bodies.append(self.rfile.read(length))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        scheme = "http"
        if context is not None:
            scheme = "https"
            # The threads that answer shake hands, so that nobody waits for another.
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        provider = Provider(f"{scheme}://127.0.0.1:{server.server_port}")
        provider.publish(public_jwk("P-256"))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield provider
        finally:
            provider.stopped.set()
            assert all(map(KeyStore.settle, provider.stores, itertools.repeat(30)))
            server.shutdown()
            thread.join()
