"""One HTTP request and its answer, over a connection of its own."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

__all__ = ["ETAG", "TOKEN", "Answer", "Request", "send"]

# In a header it stands for the access token; a shell reads it likewise.
TOKEN = "${TOKEN}"
# Likewise, for the entity tag of the last answer that was kept.
ETAG = "${ETAG}"
SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent; `TOKEN` and `ETAG` in a header stand for what is known by then."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    #: Whether the tag of the answer is what `ETAG` stands for from then on.
    keeps_etag: bool = False

    def filled_in(self, token: str, etag: str) -> Mapping[str, str]:
        """Give the headers as they are sent."""
        return {
            name: value.replace(TOKEN, token).replace(ETAG, etag)
            for name, value in self.headers.items()
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def media_type(self) -> str:
        """The type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def json(self) -> Any:
        """The parsed body, or None when it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def member(self, name: str) -> Any:
        """Give a member of the body, None when there is none of that name."""
        body = self.json
        return body.get(name) if isinstance(body, dict) else None


def send(request: Request, token: str = "", etag: str = "") -> Answer:
    """Send it directly, whatever proxies are set; raise OSError when that fails."""
    parts = urlsplit(request.url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    headers = request.filled_in(token, etag)
    try:
        connection.request(request.method, path, request.body, headers)
        response = connection.getresponse()
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=response.read().decode(errors="replace"),
        )
    except http.client.HTTPException as error:
        raise OSError(f"{request.url}: {error!r}") from error
    finally:
        connection.close()
