"""The octets of a body, hashed while a parser reads them, and never kept."""

import copy
import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any, Final

from django.conf import settings
from django.http.request import RawPostDataException
from rest_framework.exceptions import ParseError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request

from drf_apikit.idempotency.canonical import MAX_VALUES

__all__ = ["Payload", "watch"]

_CHUNK: Final = 64 * 1024


class Payload:
    """What is known of the octets of one request's body."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._read: _Octets | None = None

    @property
    def is_unread(self) -> bool:
        """Tell whether DRF finds no body; Django may have one all the same."""
        try:
            return self._request.stream is None
        except RawPostDataException:
            return False

    def octets(self) -> str | None:
        """Give the SHA-256 of the whole body in hex digits, once it was parsed.

        None where there was no body, and where nobody can tell any more: the body
        was parsed before it was watched, or its parser reads on later.
        """
        if self._read is not None:
            whole = self._read.ended and self._read.hashed
            return self._read.sha256.hexdigest() if whole else None
        try:
            # Django has it already where it is to be had: this reads nothing.
            body = self._request.body
        except RawPostDataException:
            return None
        return hashlib.sha256(body).hexdigest() if body else None

    def read_by(
        self, parse: Callable[..., Any], stream: Any, *args: Any, hashed: bool
    ) -> Any:
        """Let a parser read, and read what it leaves, if it is done.

        Raises:
            ParseError: the body is shorter than it says: the client went away in
                the middle, and what it will try again is the whole.

        """
        if isinstance(stream, io.BytesIO):
            self._refuse_part(len(stream.getbuffer()))
            return parse(stream, *args)
        self._read = octets = _Octets(stream, hashed=hashed)
        parsed = parse(octets, *args)
        data = getattr(parsed, "data", parsed)
        if data is not octets and not isinstance(data, Iterator):
            octets.drain()
            self._refuse_part(octets.count)
        return parsed

    def _refuse_part(self, count: int) -> None:
        # Servers end such a body without an error, and a form would be parsed.
        meta = self._request.META
        if count < int(meta.get("CONTENT_LENGTH", meta.get("HTTP_CONTENT_LENGTH", 0))):
            raise ParseError


def watch(request: Request) -> Payload:
    """Have the body hashed while it is parsed; to be called before that.

    The parsers of the request are replaced by copies that differ in `parse` alone.
    The body is never held here, and no limit is added. Whoever watches a request
    that is watched gets the same payload.
    """
    parsers = request.parsers or ()
    for parser in parsers:
        if isinstance(seen := getattr(parser, "parse", None), _Parse):
            return seen.payload
    payload = Payload(request)
    request.parsers = [_copy(parser, payload) for parser in parsers]
    return payload


class _Parse:
    """The `parse` of one parser, with a stream that hashes."""

    def __init__(self, parser: Any, payload: Payload) -> None:
        self.parse = parser.parse
        self.payload = payload
        # What Django makes of an upload is digested: not its octets as well. That
        # the one fails for too many parts has to be out of the question.
        most: int | None = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
        few = most is not None and most < MAX_VALUES
        self.hashed = type(parser) is not MultiPartParser or not few

    def __call__(
        self, stream: Any, media_type: Any = None, parser_context: Any = None
    ) -> Any:
        words = (media_type, parser_context)
        return self.payload.read_by(self.parse, stream, *words, hashed=self.hashed)


def _copy(parser: Any, payload: Payload) -> Any:
    """Copy a parser: it may serve other requests, and negotiators look at its class."""
    watched = copy.copy(parser)
    vars(watched)["parse"] = _Parse(parser, payload)
    return watched


class _Octets:
    """A request as a parser reads it: octets that pass are counted, maybe hashed."""

    def __init__(self, stream: Any, *, hashed: bool) -> None:
        self._stream = stream
        self.hashed = hashed
        self.sha256 = hashlib.sha256()
        self.count = 0
        self.ended = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def read(self, *args: Any, **kwargs: Any) -> bytes:
        return self._passing(self._stream.read(*args, **kwargs))

    def readline(self, *args: Any, **kwargs: Any) -> bytes:
        return self._passing(self._stream.readline(*args, **kwargs))

    def readlines(self) -> list[bytes]:
        return list(self)

    def drain(self) -> None:
        """Read the rest.

        Raises:
            ParseError: the client went away; what it will try again is the whole.

        """
        try:
            while self.read(_CHUNK):
                pass
        except OSError as error:
            raise ParseError from error
        self.ended = True

    def _passing(self, octets: bytes) -> bytes:
        if self.hashed:
            self.sha256.update(octets)
        self.count += len(octets)
        return octets
