"""Rows of the matrix: what is the same request, and what is a key."""

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from drf_apikit.models import IdempotencyRecord
from tests.idempotency.matrix_world import World, row

JSON: dict[str, Any] = {"format": None, "content_type": "application/json"}


@row("201, 422 idempotency-key-reused, 201 replayed", peers="the old answer; run")
def other_body(world: World) -> list[Any]:
    bodies = [{"amount": 1}, {"amount": 2}, {"amount": 1}]
    return [world.post(data=body) for body in bodies]


@row("201, 422 idempotency-key-reused", peers="?dry=1 is answered as without it")
def other_query(world: World) -> list[Any]:
    return [world.post("/effects/"), world.post("/effects/?dry=1")]


@row("201, 201 replayed", peers="422; run again")
def json_members_in_another_order(world: World) -> list[Any]:
    bodies = [b'{"a": 1, "b": [1, 2]}', b'{ "b" :[1,2],\n"a":1 }']
    return [world.post(data=body, **JSON) for body in bodies]


@row("201, 422 idempotency-key-reused", peers="1 and true are one")
def json_of_another_type(world: World) -> list[Any]:
    return [world.post(data=body, **JSON) for body in (b'{"a": 1}', b'{"a": true}')]


def form(boundary: str, content: bytes) -> dict[str, Any]:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file";'
    body = f'{head} filename="a.bin"\r\nContent-Type: image/png\r\n\r\n'.encode()
    return {
        "data": body + content + f"\r\n--{boundary}--\r\n".encode(),
        "format": None,
        "content_type": f"multipart/form-data; boundary={boundary}",
    }


@row("201, 201 replayed", peers="422; 500 at the first; run again")
def multipart_with_a_new_boundary(world: World) -> list[Any]:
    return [
        world.post("/uploads/", **form(boundary, b"\0\xff")) for boundary in ("a", "b")
    ]


@row("201, 422 idempotency-key-reused", peers="the old answer")
def multipart_with_another_file(world: World) -> list[Any]:
    return [world.post("/uploads/", **form("a", content)) for content in (b"1", b"2")]


@row("201, 201 replayed", peers="400, by the limit of Django's body; no protection")
def upload_of_4_mb(world: World) -> list[Any]:
    def send() -> Any:
        file = SimpleUploadedFile("a.bin", bytes(4 * 1024 * 1024))
        return world.post("/uploads/", data={"file": file}, format="multipart")

    return [send(), send()]


@row("201, 201 replayed, 201 replayed", peers="400; 500; two keys")
def quoted_and_bare_are_one_key(world: World) -> list[Any]:
    return [world.post(key=key) for key in ('"abc"', "abc", ' "abc" ')]


@row(
    ", ".join(["400 idempotency-key-malformed"] * 7),
    peers="500; accepted; ignored, without protection",
    effects=0,
    records=0,
    entered=0,
)
def malformed_keys(world: World) -> list[Any]:
    keys = ["", '""', "a,b", '"open', "ä", "a b", "k" * 256]
    return [world.post(key=key) for key in keys]


@row("201, 201 replayed", peers="stored in the clear, or cut off")
def longest_key(world: World) -> list[Any]:
    first, second = world.twice(key="k" * 255)
    assert "kkkk" not in repr(IdempotencyRecord.objects.values().get())
    return [first, second]


@row("400 idempotency-key-missing", peers="run", effects=0, records=0, entered=0)
def missing_key(world: World) -> list[Any]:
    return [world.post(key=None)]


@row("200, 200", peers="500", effects=2, records=0)
def missing_key_where_none_is_required(world: World) -> list[Any]:
    return world.twice("/optional/", key=None)


@row("200, 200", peers="an old page is replayed", effects=0, records=0)
def safe_method(world: World) -> list[Any]:
    get = world.call(method="get")
    return [get("/optional/"), get("/optional/")]


@row("201, 201, 201 replayed, 201 replayed", peers="one key", effects=2, records=2)
def other_key(world: World) -> list[Any]:
    return [world.post(key=key) for key in ("a", "A", "a", "A")]
