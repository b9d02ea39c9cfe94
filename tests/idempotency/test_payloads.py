import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig
from django.core.handlers.asgi import ASGIRequest
from django.http import UnreadablePostError
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_django import Settings
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import (
    BaseParser,
    FileUploadParser,
    FormParser,
    JSONParser,
    MultiPartParser,
)
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from drf_apikit.idempotency.payloads import watch
from tests.idempotency.uploads import (
    BOUNDARY,
    LargeFile,
    ModelParser,
    TextParser,
    parsed_by,
    request_of,
    sha256,
    streamed,
)

BODY = b"first line\nsecond\xff line\n\nlast"
Reader = Callable[[Any], Any]


class Reading(BaseParser):
    """Reads as the test says."""

    media_type = "application/x-reading"

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
        return self.reader(stream)


def chunks(stream: Any) -> bytes:
    return b"".join(iter(lambda: stream.read(3), b""))


READERS: dict[str, Reader] = {
    "read": lambda stream: stream.read(),
    "read in chunks": chunks,
    "readline": lambda stream: b"".join(iter(stream.readline, b"")),
    "short readline": lambda stream: b"".join(iter(lambda: stream.readline(4), b"")),
    "readlines": lambda stream: b"".join(stream.readlines()),
    "iteration": b"".join,
    "the body of the request": lambda stream: stream.body,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_however_a_parser_reads(reader: Reader) -> None:
    request = parsed_by(Reading(reader), BODY)
    payload = watch(request)
    assert request.data == BODY
    assert payload.octets() == sha256(BODY)


LEAVING: dict[str, Reader] = {
    "all": lambda _: "nothing",
    "all but a line": lambda stream: stream.readline(),
    "the end": lambda stream: stream.read(5),
}


@pytest.mark.parametrize("reader", LEAVING.values(), ids=LEAVING)
def test_what_a_parser_leaves_counts(reader: Reader) -> None:
    request = parsed_by(Reading(reader), BODY)
    payload = watch(request)
    expected = parsed_by(Reading(reader), BODY).data
    assert request.data == expected
    assert payload.octets() == sha256(BODY)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.binary(min_size=1), st.lists(st.integers(0, 20)))
def test_any_octets_read_in_any_way(body: bytes, sizes: list[int]) -> None:
    def reader(stream: Any) -> list[bytes]:
        ways = [stream.read, stream.readline]
        return [ways[size % 2](size) for size in sizes]

    request = parsed_by(Reading(reader), body)
    payload = watch(request)
    assert b"".join(request.data) == body[: len(b"".join(request.data))]
    assert payload.octets() == sha256(body)


def test_a_parser_of_asgi_requests() -> None:
    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    django = ASGIRequest(scope, io.BytesIO(BODY))
    length, kind = str(len(BODY)), "application/x-protobuf"
    django.META.update(CONTENT_LENGTH=length, CONTENT_TYPE=kind)
    request: Any = Request(django, parsers=[ModelParser()])
    payload = watch(request)
    assert request.data.octets == BODY
    assert payload.octets() == sha256(BODY)


@pytest.mark.parametrize("most", [1000, None, 10_000_000])
def test_the_whole_of_a_form_and_of_an_upload(
    most: int | None, settings: Settings
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = most
    large = LargeFile(200_000)
    body = large.read(large.length)
    for parser, kind in (
        (MultiPartParser(), f"multipart/form-data; boundary={BOUNDARY}"),
        (FileUploadParser(), "image/png"),
    ):
        named = {"HTTP_CONTENT_DISPOSITION": "attachment; filename=a.png"}
        request = request_of(body, kind, [parser], **named)
        payload = watch(request)
        assert next(file.name for file in request.FILES.values())[:2] == "a."
        is_form = isinstance(parser, MultiPartParser)
        # Nobody will ask for the octets of a form that has few parts.
        assert payload.octets() == (None if is_form and most == 1000 else sha256(body))


@pytest.mark.parametrize("before", ["body", "data"])
def test_octets_that_django_has_are_hashed_later(before: str) -> None:
    request = request_of(b'{"a": 1}')
    getattr(request, before)
    payload = watch(request)
    assert request.data == {"a": 1}
    assert payload.octets() == sha256(b'{"a": 1}')


class Wrapping(JSONParser):
    def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
        with io.TextIOWrapper(stream, "utf-8") as text:
            return json.load(text)


def test_what_django_has_read_is_parsed_as_it_is() -> None:
    request = request_of(b'{"a": 1}', parsers=[Wrapping()])
    payload = watch(request)
    assert request.data == {"a": 1}
    assert payload.octets() == sha256(b'{"a": 1}')


def test_a_body_that_django_has_read_goes_through_other_parsers_too() -> None:
    request = parsed_by(ModelParser(), BODY)
    assert request.body == BODY
    payload = watch(request)
    assert request.data.octets == BODY
    assert payload.octets() == sha256(BODY)


def test_octets_that_are_gone() -> None:
    request = parsed_by(ModelParser(), BODY)
    assert request.data.octets == BODY
    payload = watch(request)
    assert payload.octets() is None


def test_a_form_that_django_has_parsed() -> None:
    request = request_of(b"a=1&b=2", "application/x-www-form-urlencoded")
    assert request._request.POST["a"] == "1"
    large = LargeFile(10)
    body = large.read(large.length)
    multipart = request_of(body, f"multipart/form-data; boundary={BOUNDARY}")
    assert multipart._request.FILES["f"].size == 10
    for parsed, octets in ((request, sha256(b"a=1&b=2")), (multipart, None)):
        payload = watch(parsed)
        assert parsed.data
        assert payload.octets() == octets


@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain"])
def test_no_body(content_type: str) -> None:
    request = request_of(b"", content_type)
    payload = watch(request)
    assert request.data == {}
    assert payload.octets() is None


def test_no_parsers() -> None:
    request = Request(APIRequestFactory().post("/", b"1", content_type="a/b"))
    watch(request)
    with pytest.raises(UnsupportedMediaType):
        _ = request.data


def later(stream: Any) -> Iterator[bytes]:
    yield from stream


@pytest.mark.parametrize("reader", [later, lambda s: s], ids=["iterator", "stream"])
def test_a_parser_that_reads_later_keeps_its_octets(reader: Reader) -> None:
    request = parsed_by(Reading(reader), BODY)
    payload = watch(request)
    data = request.data
    assert payload.octets() is None
    assert b"".join(data) == BODY


class Broken(io.BytesIO):
    """A connection that ends before the body does."""

    def read(self, size: int | None = -1, /) -> bytes:
        if octets := super().read(size):
            return octets
        raise OSError("The client went away.")


def test_a_connection_that_ends_while_the_parser_reads() -> None:
    parser = Reading(chunks)
    request = streamed(Broken(b"ab"), 10, str(parser.media_type), [parser])
    payload = watch(request)
    with pytest.raises(UnreadablePostError):
        _ = request.data
    assert payload.octets() is None


def test_a_connection_that_ends_when_the_parser_is_done() -> None:
    parser = Reading(lambda stream: stream.read(1))
    request = streamed(Broken(b"ab"), 10, str(parser.media_type), [parser])
    watch(request)
    with pytest.raises(ParseError):
        _ = request.data


@pytest.mark.parametrize("body", [b"", b"a=10"], ids=["nothing", "a part"])
@pytest.mark.parametrize(
    "parser", [TextParser(), FormParser(), JSONParser(), ModelParser()]
)
def test_a_body_that_is_shorter_than_it_says(body: bytes, parser: BaseParser) -> None:
    request = streamed(io.BytesIO(body), 10, str(parser.media_type), [parser])
    watch(request)
    with pytest.raises(ParseError):
        _ = request.data


def test_a_body_that_is_longer_than_it_says() -> None:
    stream = io.BytesIO(b"abcd")
    request = streamed(stream, 2, "text/plain", [TextParser()])
    payload = watch(request)
    assert request.data == "ab"
    assert payload.octets() == sha256(b"ab")
    assert stream.read() == b"cd"


@pytest.mark.parametrize("body", [b"{", b"\xff", b"NaN", b""])
def test_errors_of_parsers_are_theirs(body: bytes) -> None:
    def error(request: Request) -> str:
        try:
            return str(request.data)
        except ParseError as error:
            return str(error.detail)

    request = request_of(body)
    watch(request)
    assert error(request) == error(request_of(body))


def test_limits_of_django_stay(settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
    multipart = f"{part}{'x' * 20}\r\n--{BOUNDARY}--\r\n".encode()
    for body, kind in (
        (multipart, f"multipart/form-data; boundary={BOUNDARY}"),
        (b"a=" + b"x" * 20, "application/x-www-form-urlencoded"),
        (b'"' + b"x" * 20 + b'"', "application/json"),
    ):
        request = request_of(body, kind)
        watch(request)
        with pytest.raises(RequestDataTooBig):
            _ = request.data
    # DRF limits no other body, and neither do we.
    request = request_of(b"x" * 20, "text/plain")
    watch(request)
    assert request.data == "x" * 20


class Picky(BaseContentNegotiation):
    """Looks at more of a parser than its media type."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        version = request.headers.get("X-Version")
        return next(
            (p for p in parsers if isinstance(p, Versioned) and p.version == version),
            None,
        )


class Versioned(JSONParser):
    def __init__(self, version: str) -> None:
        self.version = version

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        return [self.version, super().parse(*args, **kwargs)]


def test_parsers_stay_what_they_are() -> None:
    shared = [Versioned("1"), JSONParser(), Versioned("2")]
    django = request_of(b"{}", HTTP_X_VERSION="2")._request
    for _ in range(2):
        request: Any = Request(django, parsers=shared, negotiator=Picky())
        payload = watch(request)
        assert request.data == ["2", {}]
        assert payload.octets() == sha256(b"{}")
    assert not any("parse" in vars(parser) for parser in shared)


def test_a_stream_has_what_the_request_has() -> None:
    parser = Reading(lambda stream: (stream.META["CONTENT_TYPE"], stream.encoding))
    request = parsed_by(parser, BODY)
    watch(request)
    assert request.data == (parser.media_type, None)
    wrong = Reading(lambda stream: hasattr(stream, "seek"))
    request = parsed_by(wrong, BODY)
    watch(request)
    assert request.data is False


def test_watching_twice_is_watching_once() -> None:
    request = parsed_by(ModelParser(), BODY)
    payload = watch(request)
    assert watch(request) is payload
    assert request.data.octets == BODY
    assert watch(request).octets() == sha256(BODY)


def test_arguments_by_name() -> None:
    request = parsed_by(ModelParser(), BODY)
    watch(request)
    parser = request.parsers[0]
    parsed = parser.parse(io.BytesIO(BODY), media_type="a/b", parser_context={})
    assert parsed.octets == BODY
