"""Rows of the matrix: what a retry gets."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.http import (
    FileResponse,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from rest_framework.request import Request
from rest_framework.response import Response

from drf_apikit.models import IdempotencyRecord
from tests.idempotency.calls import Call
from tests.idempotency.matrix_world import World, row
from tests.idempotency.views import created

KEYS = ["A" * 42 + "A=", "B" * 42 + "A="]


@row("201, 201 replayed", peers="the view runs again; 500, then 409 for ever")
def replay(world: World) -> list[Any]:
    return world.twice()


@row("201, 201 replayed, 201 replayed", peers="only the first retry is seen")
def replay_of_a_replay(world: World) -> list[Any]:
    return [*world.twice(), world.post()]


@row("200, 200 replayed", peers="none is kept, or all are, with cookies")
def headers_of_the_list_are_kept(world: World) -> list[Any]:
    headers = {
        "Link": '</next>; rel="next"',
        "ETag": '"7"',
        "X-Request-Id": "1",
        "Content-Language": "de",
        "Access-Control-Allow-Origin": "*",
        "Location": "/a",
    }
    world.answer(lambda _: HttpResponse(b"x", headers=headers))
    first, second = world.twice()
    assert "X-Request-Id" in first
    assert not {"X-Request-Id", "Access-Control-Allow-Origin"} & set(second.headers)
    assert second["Content-Language"] == "de"
    return [first, second]


@row("200, 200 replayed", peers="the list cannot be changed")
def headers_of_the_setting_are_kept(world: World) -> list[Any]:
    world.configure(HEADERS=["X-Balance"])
    headers = {"X-Balance": "30", "X-Other": "1"}
    world.answer(lambda _: HttpResponse(b"x", headers=headers))
    first, second = world.twice()
    assert second["X-Balance"] == "30"
    assert "X-Other" not in second
    return [first, second]


@row("200, 200 replayed", peers="a session of the first caller is handed on")
def cookies_are_never_replayed(world: World) -> list[Any]:
    def with_cookie(_request: Request) -> HttpResponseBase:
        response = HttpResponse(b"x")
        response.set_cookie("session", "secret")
        return response

    world.answer(with_cookie)
    first, second = world.twice()
    assert "session" in first.cookies
    assert not second.cookies
    return [first, second]


@row("200, 200 replayed", peers="no octets are replayed; 500")
def binary(world: World) -> list[Any]:
    octets = bytes(range(256))
    world.answer(lambda _: HttpResponse(octets, content_type="image/png"))
    return world.twice()


@row("204, 204 replayed", peers="not stored, so run again; 409 for ever")
def no_content(world: World) -> list[Any]:
    world.answer(lambda _: Response(status=204))
    return world.twice()


@row("201, 201 replayed", peers="Location is lost")
def created_with_a_location(world: World) -> list[Any]:
    first, second = world.twice()
    assert first["Location"] == second["Location"] == "/articles/1/"
    return [first, second]


@row("302, 302 replayed", peers="not stored, so run again")
def redirect(world: World) -> list[Any]:
    world.answer(lambda _: HttpResponseRedirect("/elsewhere/"))
    return world.twice()


def stream(octets: int) -> Call:
    def answer(_request: Request) -> HttpResponseBase:
        chunks = (b"x" * 10 for _ in range(octets // 10))
        return StreamingHttpResponse(
            chunks, content_type="text/csv", headers={"Location": "/report"}
        )

    return answer


@row("200, 200 replayed", peers="run again; 500")
def stream_within_the_cap(world: World) -> list[Any]:
    world.answer(stream(1000))
    first, second = world.twice()
    assert first.streaming
    assert len(second.content) == 1000
    return [first, second]


@row("200, 409 idempotency-response-not-kept", peers="run again; 500")
def stream_beyond_the_cap(world: World) -> list[Any]:
    world.configure(MAX_BODY=500)
    world.answer(stream(1000))
    first, second = world.twice()
    assert len(first.getvalue()) == 1000
    assert second["Location"] == "/report"
    return [first, second]


@row("500, 201", peers="an effect without an answer", entered=2)
def stream_that_breaks(world: World) -> list[Any]:
    def broken(_request: Request) -> HttpResponseBase:
        def chunks() -> Iterator[bytes]:
            yield b"x"
            raise LookupError("in the middle")

        return StreamingHttpResponse(chunks())

    world.answer(broken)
    first = world.post()
    world.answer(created)
    return [first, world.post()]


def download(world: World) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.csv"
        path.write_bytes(b"a;b\n" * 250)
        world.answer(
            lambda _: FileResponse(
                path.open("rb"), as_attachment=True, headers={"Location": "/report"}
            )
        )
        first, second = world.post(), world.post()
        # It is read now: the file is going to be gone.
        first.streaming_content = [first.getvalue()]
        first.close()
    return [first, second]


@row("200, 200 replayed", peers="run again; no octets are replayed")
def file_within_the_cap(world: World) -> list[Any]:
    first, second = download(world)
    assert len(second.content) == 1000
    assert second["Content-Disposition"] == 'attachment; filename="report.csv"'
    return [first, second]


@row("200, 409 idempotency-response-not-kept", peers="run again")
def file_beyond_the_cap(world: World) -> list[Any]:
    world.configure(MAX_BODY=500)
    first, second = download(world)
    assert second["Location"] == "/report"
    return [first, second]


@row("201, 409 idempotency-response-not-kept", peers="the whole table in memory")
def body_beyond_the_cap(world: World) -> list[Any]:
    world.configure(MAX_BODY=10)
    first, second = world.twice()
    assert second["Location"] == first["Location"]
    return [first, second]


@row("402, 402 replayed", peers="run again")
def returned_402_after_the_effect(world: World) -> list[Any]:
    world.returns(402)
    first = world.post()
    world.answer(created)
    return [first, world.post()]


@row("201, 201 replayed", peers="stored in the clear")
def encrypted(world: World) -> list[Any]:
    world.configure(ENCRYPTION_KEYS=KEYS[:1])
    first = world.post()
    octets = bytes(IdempotencyRecord.objects.get().answer or b"")
    assert b"articles" in first.content
    assert b"articles" not in octets
    return [first, world.post()]


@row("201, 201 replayed", peers="keys cannot be changed")
def encrypted_with_the_key_before_the_last(world: World) -> list[Any]:
    world.configure(ENCRYPTION_KEYS=KEYS[:1])
    first = world.post()
    world.configure(ENCRYPTION_KEYS=KEYS[::-1])
    return [first, world.post()]


@row("201, 409 idempotency-response-not-kept", peers="run again; 500")
def encrypted_with_a_key_that_is_gone(world: World) -> list[Any]:
    world.configure(ENCRYPTION_KEYS=KEYS[:1])
    first = world.post()
    world.configure(ENCRYPTION_KEYS=KEYS[1:])
    return [first, world.post()]


@row("201, 409 idempotency-response-not-kept", peers="500 after an upgrade")
def record_of_another_format(world: World) -> list[Any]:
    first = world.post()
    IdempotencyRecord.objects.update(format_version=99)
    return [first, world.post()]
