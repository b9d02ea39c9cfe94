import asyncio
import io
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.http import (
    FileResponse,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)

from drf_apikit.idempotency.answers import Answer, capture
from drf_apikit.idempotency.keys import FORMAT
from drf_apikit.idempotency.sealing import SealError, seal
from tests.idempotency.test_sealing import NEW, encrypt_with

SCOPE = "0f" * 32
ANSWER = Answer(201, (("Content-Type", "text/csv"), ("Location", "/a")), b"a;b\n")


def record(kept: Answer, /, **changed: Any) -> Any:
    """Give what a record has of an answer."""
    columns = {"format_version": FORMAT, **kept.columns(SCOPE), **changed}
    return SimpleNamespace(**columns)


@pytest.mark.parametrize("body", [b"", b"x", bytes(range(256)) * 9, None])
def test_what_was_kept_can_be_read(body: bytes | None) -> None:
    headers = (("Content-Type", "text/plain; charset=utf-8"), ("X-Name", 'ä "ß" =?'))
    answer = Answer(207, headers, body)
    assert Answer.read(record(answer), SCOPE) == answer


def test_octets_of_a_database_driver_can_be_read() -> None:
    kept = record(ANSWER)
    kept.answer = memoryview(kept.answer)
    assert Answer.read(kept, SCOPE) == ANSWER


@pytest.mark.parametrize("body", [b"a;b\n", None], ids=["with a body", "without"])
def test_it_is_sent_again_octet_for_octet(body: bytes | None) -> None:
    response = Answer(201, ANSWER.headers, body).response()
    assert (response.status_code, response.content) == (201, body or b"")
    ours = [("Cache-Control", "no-store"), ("Idempotent-Replayed", "true")]
    assert list(response.items()) == [*ANSWER.headers, *ours]


def test_no_content_type_is_none() -> None:
    assert "Content-Type" not in Answer(204, (), b"").response()


def test_headers_are_kept_in_order_and_by_the_list(settings: Any) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"HEADERS": ["X-B", "X-A"]}}
    headers = {
        "X-A": "1",
        "location": "/a",
        "X-C": "3",
        "Content-Type": "text/csv",
        "Date": "today",
        "ETag": '"1"',
        "Vary": "Accept",
        "x-b": "2",
    }
    response = HttpResponse(b"x", headers=headers)
    response.set_cookie("session", "secret")
    assert capture(response, 1).headers == (
        ("X-A", "1"),
        ("location", "/a"),
        ("Content-Type", "text/csv"),
        ("ETag", '"1"'),
        ("x-b", "2"),
    )


def test_a_header_that_was_set_twice_has_its_last_value() -> None:
    response = HttpResponse(b"x", content_type="text/csv")
    response["Link"] = "</1>"
    response["link"] = "</2>"
    assert ("link", "</2>") in capture(response, 1).headers
    assert len(capture(response, 1).headers) == 2


@pytest.mark.parametrize("limit", [0, 3, 4, 5])
def test_the_longest_body(limit: int) -> None:
    body = capture(HttpResponse(b"1234"), limit).body
    assert body == (b"1234" if limit >= 4 else None)


def test_a_response_of_another_kind_has_no_body() -> None:
    class Odd(HttpResponseBase):
        pass

    assert capture(Odd(status=204), 100).body is None


def chunks(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield b"%d" % number


@pytest.mark.parametrize(
    ("limit", "body"), [(6, b"012345"), (5, None), (2, None), (0, None)]
)
def test_a_stream_is_read_ahead_and_goes_on(limit: int, body: bytes | None) -> None:
    response = StreamingHttpResponse(chunks(6))
    assert capture(response, limit).body == body
    assert response.getvalue() == b"012345"


# Whoever closes a response ends a request, which looks at the connections.
@pytest.mark.django_db
def test_a_stream_is_read_no_further_than_the_limit() -> None:
    stream = chunks(1000)
    response = StreamingHttpResponse(stream)
    assert capture(response, 3).body is None
    assert next(stream) == b"4"
    response.close()
    assert not list(stream)


def test_a_stream_that_says_that_it_is_too_long_is_not_read() -> None:
    stream = chunks(9)
    response = StreamingHttpResponse(stream, headers={"Content-Length": "9"})
    assert capture(response, 8).body is None
    assert next(stream) == b"0"


def test_a_length_that_is_no_number_says_nothing() -> None:
    response = StreamingHttpResponse(chunks(3), headers={"Content-Length": "long"})
    assert capture(response, 3).body == b"012"


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [io.BytesIO, tempfile.TemporaryFile])
@pytest.mark.parametrize("limit", [999, 1000])
def test_a_file(kind: Any, limit: int) -> None:
    with kind() as file:
        file.write(bytes(1000))
        file.seek(0)
        response = FileResponse(file, filename="a.bin")
        kept = capture(response, limit)
        assert kept.body == (bytes(1000) if limit == 1000 else None)
        assert ("Content-Type", "application/octet-stream") in kept.headers
        # A server may send what is too long without Python.
        whole = file if limit == 999 else None
        assert response.file_to_stream is whole
        assert response.getvalue() == bytes(1000)
        response.close()
        assert file.closed


@dataclass
class Source:
    """An asynchronous stream that tells how far it was read, and whether it ended."""

    count: int
    read: int = 0
    closed: bool = False

    async def stream(self) -> AsyncIterator[bytes]:
        try:
            for number in range(self.count):
                self.read = number + 1
                await asyncio.sleep(0)
                yield b"%d" % number
        finally:
            self.closed = True


@pytest.mark.parametrize(("limit", "body"), [(6, b"012345"), (5, None), (0, None)])
def test_an_asynchronous_stream_without_a_loop_is_sent_whole(
    limit: int, body: bytes | None
) -> None:
    response = StreamingHttpResponse(Source(6).stream())
    assert capture(response, limit).body == body
    assert response.getvalue() == b"012345"


@pytest.mark.parametrize(("limit", "body"), [(6, b"012345"), (5, None), (2, None)])
def test_an_asynchronous_stream_goes_on_in_its_loop(
    limit: int, body: bytes | None
) -> None:
    source = Source(6)

    async def serve() -> tuple[bytes | None, bytes]:
        response = StreamingHttpResponse(source.stream())
        answer = await sync_to_async(capture)(response, limit, is_asgi=True)
        assert source.read == min(limit + 1, 6)
        assert source.closed is (body is not None)
        assert response.is_async
        return answer.body, b"".join([chunk async for chunk in response])

    assert asyncio.run(serve()) == (body, b"012345")
    assert source.closed


def test_an_asynchronous_stream_that_breaks() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise LookupError("in the middle")

    with pytest.raises(LookupError):
        capture(StreamingHttpResponse(broken()), 100)
    with pytest.raises(LookupError):
        capture(StreamingHttpResponse(broken()), 100, is_asgi=True)


def test_an_answer_of_another_format_is_not_read() -> None:
    with pytest.raises(SealError):
        Answer.read(record(ANSWER, format_version=FORMAT + 1), SCOPE)


DAMAGED = {
    "nothing": b"",
    "half a length": b"\0\0",
    "half a list": b"\0\0\0\2[",
    "no end": b"\xff\xff\xff\xffxx",
    "no JSON": b"\0\0\0\1a",
    "no UTF-8": b"\0\0\0\1\xff",
    "no pairs": b"\0\0\0\3[1]",
    "no pairs but texts": b'\0\0\0\7["abc"]',
    "a number": b"\0\0\0\0017",
    "null": b"\0\0\0\4null",
}


@pytest.mark.parametrize("plain", DAMAGED.values(), ids=DAMAGED)
def test_an_answer_that_is_damaged_is_not_read(plain: bytes) -> None:
    codec, sealed = seal(plain, SCOPE)
    with pytest.raises(SealError):
        Answer.read(record(ANSWER, codec=codec, answer=sealed), SCOPE)


def test_whatever_bit_is_changed_it_is_an_answer_or_none() -> None:
    kept = record(ANSWER)
    for place in range(len(kept.answer) * 8):
        changed = bytearray(kept.answer)
        changed[place // 8] ^= 1 << place % 8
        try:
            answer = Answer.read(record(ANSWER, answer=bytes(changed)), SCOPE)
        except SealError:
            continue
        assert answer != ANSWER


def test_whatever_bit_of_a_sealed_answer_is_changed_it_is_none(settings: Any) -> None:
    encrypt_with(settings, NEW)
    kept = record(ANSWER)
    for place in range(len(kept.answer)):
        changed = bytearray(kept.answer)
        changed[place] ^= 128
        with pytest.raises(SealError):
            Answer.read(record(ANSWER, answer=bytes(changed)), SCOPE)
    for codec in {0, 1, 2, 3} - {kept.codec}:
        with pytest.raises(SealError):
            Answer.read(record(ANSWER, codec=codec), SCOPE)
