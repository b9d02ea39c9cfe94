"""The answer: what of it is kept, and how it is sent again."""

import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from asgiref.sync import async_to_sync
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

from drf_apikit.conf import apikit_settings
from drf_apikit.idempotency.keys import FORMAT
from drf_apikit.idempotency.sealing import SealError, seal, unseal

__all__ = ["REPLAYED", "Answer", "capture"]

#: The spelling that payment SDKs look for.
REPLAYED: Final = "Idempotent-Replayed"

#: Headers that belong to the answer. Cookies and credentials never do, nor does
#: what belongs to one connection, one moment or one caller's browser.
_KEPT: Final = frozenset(
    {
        *("content-type", "content-language", "content-disposition"),
        *("content-encoding", "content-location", "content-digest", "repr-digest"),
        *("location", "etag", "last-modified", "link", "preference-applied"),
        *("deprecation", "sunset", "retry-after"),
    }
)
#: Octets that say how long the headers are.
_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """What is kept of a response; `body` is None where it was too long."""

    status_code: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | None

    def columns(self, scope: str) -> dict[str, Any]:
        """Give the columns of the record that hold it."""
        headers = json.dumps(self.headers).encode()
        plain = len(headers).to_bytes(_LENGTH, "big") + headers + (self.body or b"")
        has_body = self.body is not None
        codec, sealed = seal(plain, _record(scope, self.status_code, has_body))
        return {
            "status_code": self.status_code,
            "has_body": has_body,
            "codec": codec,
            "answer": sealed,
        }

    @classmethod
    def read(cls, kept: Any, scope: str) -> "Answer":
        """Make it of a record, or of what a cache has of one.

        Raises:
            SealError: it cannot be read any more.

        """
        if kept.format_version != FORMAT:
            raise SealError("The answer was kept in another format.")
        record = _record(scope, kept.status_code, kept.has_body)
        plain = unseal(kept.codec, bytes(kept.answer), record)
        end = _LENGTH + int.from_bytes(plain[:_LENGTH], "big")
        try:
            headers = tuple(
                (name, value) for name, value in json.loads(plain[_LENGTH:end])
            )
        except (TypeError, ValueError) as error:
            raise SealError("The stored answer is damaged.") from error
        return cls(kept.status_code, headers, plain[end:] if kept.has_body else None)

    def response(self) -> HttpResponse:
        """Make the response again, octet for octet."""
        response = HttpResponse(self.body or b"", status=self.status_code)
        del response["Content-Type"]
        for name, value in self.headers:
            response[name] = value
        response["Cache-Control"] = "no-store"
        response[REPLAYED] = "true"
        return response


def capture(response: HttpResponseBase, limit: int, *, is_asgi: bool = False) -> Answer:
    """Take from a finished response what is kept of it.

    A stream is read ahead, as far as `limit` octets, and goes on from there: what
    fails while it is read has failed before anything is committed. Without ASGI,
    an asynchronous one is read to its end, as Django does: there is no loop in
    which it could go on.
    """
    kept = _KEPT | apikit_settings.idempotency.headers
    headers = tuple(pair for pair in response.items() if pair[0].lower() in kept)
    body = _body(response, limit, is_asgi=is_asgi)
    return Answer(response.status_code, headers, body)


def _record(scope: str, status_code: int, has_body: object) -> str:
    """Name what belongs together."""
    return f"{scope}:{status_code}:{bool(has_body)}"


def _body(response: HttpResponseBase, limit: int, *, is_asgi: bool) -> bytes | None:
    if not isinstance(response, StreamingHttpResponse):
        body = response.content if isinstance(response, HttpResponse) else None
    elif _is_longer(response, limit):
        body = None
    elif not response.is_async:
        body = _read_ahead(response, limit)
    elif is_asgi:
        body = async_to_sync(_read_ahead_async)(response, limit)
    else:
        chunks = async_to_sync(_read_whole)(response)
        response.streaming_content = iter(chunks)
        body = b"".join(chunks)
    return body if body is None or len(body) <= limit else None


def _is_longer(response: HttpResponseBase, limit: int) -> bool:
    """Tell a file that says how long it is, and may be sent by the kernel."""
    length = response.headers.get("Content-Length", "")
    return length.isdecimal() and int(length) > limit


def _read_ahead(response: StreamingHttpResponse, limit: int) -> bytes | None:
    stream: Any = iter(response)
    chunks, size = [], 0
    for chunk in stream:
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            response.streaming_content = itertools.chain(chunks, stream)
            return None
    response.streaming_content = iter(chunks)
    return b"".join(chunks)


async def _read_ahead_async(
    response: StreamingHttpResponse, limit: int
) -> bytes | None:
    stream: Any = aiter(response)
    chunks: list[bytes] = []
    size = 0

    async def resumed() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        async for chunk in stream:
            yield chunk

    async for chunk in stream:
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            response.streaming_content = resumed()
            return None
    response.streaming_content = resumed()
    return b"".join(chunks)


async def _read_whole(response: StreamingHttpResponse) -> list[bytes]:
    stream: Any = aiter(response)
    return [chunk async for chunk in stream]
