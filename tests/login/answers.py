"""What a scripted provider was asked, and what it can be told to answer."""

import json
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.oidc.provider import Answer, as_json, as_text

__all__ = [
    "Answer",
    "Held",
    "Seen",
    "as_json",
    "as_raw",
    "as_refusal",
    "as_text",
    "hang_up",
    "redirect",
]


@dataclass(frozen=True)
class Seen:
    """A request that came; `path` is without the prefix of the issuer."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    form: Mapping[str, str]

    @classmethod
    def by(cls, handler: BaseHTTPRequestHandler, prefix: str) -> "Seen":
        """Read the request of a handler."""
        parts = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        return cls(
            method=handler.command,
            path=parts.path.removeprefix(prefix),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in handler.headers.items()},
            form=dict(parse_qsl(handler.rfile.read(length).decode("latin-1"))),
        )


@dataclass
class Held:
    """Where requests wait until they are let go; `asked` is set when one has come."""

    asked: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Wait, but not for ever."""
        self.asked.set()
        assert self.gone.wait(60)

    def let_go(self) -> None:
        """Let all go on, and those that come after them."""
        self.gone.set()


def as_refusal(status: int, error: str, **members: Any) -> Answer:
    """Refuse as RFC 6749 section 5.2 says."""
    document = json.dumps({"error": error, **members})
    return as_text(status, document, {"Content-Type": "application/json"})


def as_raw(text: bytes) -> Answer:
    """Write these bytes and nothing else: no status line, no headers."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(text)
        handler.close_connection = True

    return answer


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without a word."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def redirect(url: str, **parameters: str) -> Answer:
    """Send the browser to a URL, with more parameters."""
    separator = "&" if urlsplit(url).query else "?"
    location = f"{url}{separator}{urlencode(parameters)}" if parameters else url
    return as_text(302, "", {"Location": location})
