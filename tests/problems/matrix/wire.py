"""Django's two handlers as a server calls them: WSGI's environ, ASGI's messages."""

import asyncio
import io
from collections.abc import Callable, Iterable, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, unquote_to_bytes

from asgiref.sync import async_to_sync
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.utils.datastructures import CaseInsensitiveMapping

__all__ = ["PROTOCOLS", "Answer", "Call"]

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Call:
    """A request; `target` as it goes over the wire, percent-encoded."""

    target: str
    method: str = "GET"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def all_headers(self) -> dict[str, str]:
        """Add those that every client sends."""
        given = {"Host": "testserver", **self.headers}
        if self.body:
            given = {
                "Content-Type": JSON,
                "Content-Length": str(len(self.body)),
            } | given
        return given


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server was given to send."""

    status_code: int
    headers: CaseInsensitiveMapping[str]
    content: bytes


def over_wsgi(call: Call) -> Answer:
    """Call Django's WSGI handler."""
    path, _, query = call.target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(call.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in call.all_headers().items():
        key = name.upper().replace("-", "_")
        environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
        started.append((status, headers))

    response: Any = WSGIHandler()(environ, start_response)
    content = b"".join(response)
    response.close()
    [(status, headers)] = started
    return Answer(int(status[:3]), CaseInsensitiveMapping(headers), content)


def over_asgi(call: Call) -> Answer:
    """Call Django's ASGI handler; its synchronous parts run in this thread."""
    path, _, query = call.target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "http",
        # As uvicorn does it.
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in call.all_headers().items()
        ],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }
    sent: list[Mapping[str, Any]] = []
    coming: list[dict[str, Any]] = [{"type": "http.request", "body": call.body}]

    async def receive() -> dict[str, Any]:
        if not coming:
            # The client stays and waits.
            await asyncio.get_running_loop().create_future()
        return coming.pop()

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    # As in a new process: variables of earlier tests would be copied for each thread.
    Context().run(async_to_sync(ASGIHandler()), scope, receive, send)
    start, *parts = sent
    return Answer(
        start["status"],
        CaseInsensitiveMapping(_decoded(start["headers"])),
        b"".join(part.get("body", b"") for part in parts),
    )


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("ascii"), value.decode("latin-1")) for name, value in headers]


PROTOCOLS: Final[Mapping[str, Callable[[Call], Answer]]] = {
    "wsgi": over_wsgi,
    "asgi": over_asgi,
}
