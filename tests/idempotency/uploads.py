"""Bodies and parsers for the tests of payloads and fingerprints."""

import hashlib
import io
from collections.abc import Sequence
from typing import Any, Final

from django.core.handlers.wsgi import WSGIRequest
from rest_framework.parsers import (
    BaseParser,
    FileUploadParser,
    FormParser,
    JSONParser,
    MultiPartParser,
)
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

__all__ = [
    "BOUNDARY",
    "JSON",
    "LargeFile",
    "Model",
    "ModelParser",
    "TextParser",
    "parsed_by",
    "request_of",
    "sha256",
    "streamed",
]

JSON: Final = "application/json"
BOUNDARY: Final = "b-o-u-n-d-a-r-y"
_factory: Any = APIRequestFactory(enforce_csrf_checks=True)


class Model:
    """What protobuf and its like give: nothing that JSON knows."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets


class ModelParser(BaseParser):
    media_type = "application/x-protobuf"

    def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
        return Model(stream.read())


class TextParser(BaseParser):
    media_type = "text/plain"

    def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
        return stream.read().decode()


class LargeFile(io.RawIOBase):
    """The stream of a multipart body with a file of any size, made on the way."""

    def __init__(self, size: int, last: bytes = b"\x00") -> None:
        part = 'Content-Disposition: form-data; name="f"; filename="a.bin"'
        self.head = f"--{BOUNDARY}\r\n{part}\r\n\r\n".encode()
        self.tail = last + f"\r\n--{BOUNDARY}--\r\n".encode()
        self.zeros = size - len(last)
        self.length = len(self.head) + self.zeros + len(self.tail)

    def read(self, size: int = -1, /) -> bytes:
        head, self.head = self.head[:size], self.head[size:]
        zeros = min(size - len(head), self.zeros)
        self.zeros -= zeros
        size -= len(head) + zeros
        tail, self.tail = self.tail[:size], self.tail[size:]
        return head + bytes(zeros) + tail


def request_of(
    body: bytes = b"{}",
    content_type: str = JSON,
    parsers: Sequence[BaseParser] | None = None,
    url: str = "/",
    **extra: Any,
) -> Any:
    """Make a request; by default with the parsers of DRF and two of ours.

    Its data may be of any type, although DRF's types say otherwise.
    """
    if parsers is None:
        parsers = [JSONParser(), FormParser(), MultiPartParser(), ModelParser()]
        parsers = [*parsers, TextParser(), FileUploadParser()]
    django = _factory.generic("POST", url, body, content_type, **extra)
    return Request(django, parsers=parsers)


def parsed_by(parser: BaseParser, body: bytes, **extra: Any) -> Any:
    """Make a request whose only parser gets a body of any other kind."""
    return request_of(body, str(parser.media_type), [parser], **extra)


def streamed(
    stream: Any,
    length: int,
    content_type: str = f"multipart/form-data; boundary={BOUNDARY}",
    parsers: Sequence[BaseParser] = (MultiPartParser(),),
) -> Any:
    """Make a request whose body a server reads from somewhere."""
    environ = _factory.post("/").environ | {
        "wsgi.input": stream,
        "CONTENT_LENGTH": str(length),
        "CONTENT_TYPE": content_type,
    }
    return Request(WSGIRequest(environ), parsers=parsers)


def sha256(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()
