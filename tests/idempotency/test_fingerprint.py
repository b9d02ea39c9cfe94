import hashlib
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import encode_multipart
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.parsers import BaseParser, FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from drf_apikit.idempotency.fingerprint import fingerprint
from drf_apikit.models import IdempotencyRecord
from drf_apikit.testing import assert_problem
from tests.idempotency.calls import Call, caller, person

DRAFT = "draft-ietf-httpapi-idempotency-key-header"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


class OctetParser(BaseParser):
    media_type = "application/octet-stream"

    def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
        return stream.read()


class DateParser(BaseParser):
    media_type = "text/x-date"

    def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
        return {"day": date.fromisoformat(stream.read().decode())}


class MoneyParser(BaseParser):
    media_type = "text/x-money"

    def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
        return {"amount": Decimal(stream.read().decode())}


def digest_of(body: bytes, content_type: str = JSON, url: str = "/") -> str:
    request = APIRequestFactory().post(url, body, content_type=content_type)
    parsers: list[BaseParser] = [JSONParser(), FormParser(), MultiPartParser()]
    parsers += [OctetParser(), DateParser(), MoneyParser()]
    return fingerprint(Request(request, parsers=parsers))


def multipart(data: dict[str, Any], boundary: str = "first") -> str:
    body = encode_multipart(boundary, data)
    return digest_of(body, f"multipart/form-data; boundary={boundary}")


def upload(content: bytes = b"\xff\x00", name: str = "a.bin") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, "application/octet-stream")


SAME = {
    "member order": (b'{"a":1,"b":{"c":2,"d":3}}', b'{"b":{"d":3,"c":2},"a":1}'),
    "white space": (b'{"a":[1,2]}', b'\n{ "a" : [ 1 , 2 ] }\t'),
    "escapes": (b'"\\u00e4"', '"ä"'.encode()),
    "no body": (b"", b"{}"),
}
OTHER = {
    "value": (b'{"a":1}', b'{"a":2}'),
    "type": (b'{"a":1}', b'{"a":"1"}'),
    "integer or not": (b'{"a":1}', b'{"a":1.0}'),
    "null": (b'{"a":null}', b"{}"),
    "item order": (b"[1,2]", b"[2,1]"),
    "member": (b'{"a":1}', b'{"a":1,"b":1}'),
    "name": (b'{"a":1}', b'{"A":1}'),
    "false and null": (b"false", b"null"),
}


@pytest.mark.compliance(DRAFT, "2.4")
@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_the_same_payload(one: bytes, other: bytes) -> None:
    assert digest_of(one) == digest_of(other)


@pytest.mark.compliance(DRAFT, "2.4")
@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_another_payload(one: bytes, other: bytes) -> None:
    assert digest_of(one) != digest_of(other)


def reversed_members(value: Any) -> Any:
    match value:
        case dict():
            return {k: reversed_members(value[k]) for k in reversed(value)}
        case list():
            return [reversed_members(item) for item in value]
        case _:
            return value


VALUES = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(VALUES, VALUES)
def test_digests_are_equal_when_values_are(one: Any, other: Any) -> None:
    first = digest_of(json.dumps(one).encode())
    again = json.dumps(reversed_members(one), indent=2, ensure_ascii=False)
    assert digest_of(again.encode("utf-8", "surrogatepass")) == first
    assert (digest_of(json.dumps(other).encode()) == first) == (one == other)


def test_the_query_string_and_the_media_type_are_payload() -> None:
    assert digest_of(b"{}") != digest_of(b"{}", url="/?a=1")
    assert digest_of(b"a=1", FORM) != digest_of(b'{"a":["1"]}')


def test_parameters_and_case_of_the_media_type_are_not() -> None:
    assert digest_of(b"{}") == digest_of(b"{}", "Application/JSON; charset=utf-8")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"a=1&b=2", b"b=2&a=1", True),
        (b"a=1&a=2", b"a=2&a=1", False),
        (b"a=1", b"a=1&a=1", False),
        (b"a=", b"", False),
    ],
)
def test_forms(one: bytes, other: bytes, same: bool) -> None:
    assert (digest_of(one, FORM) == digest_of(other, FORM)) == same


def test_the_boundary_is_no_payload() -> None:
    data = {"a": "1", "f": upload()}
    assert multipart(data) == multipart({**data, "f": upload()}, "second")


def test_files_are_payload() -> None:
    kinds = {
        multipart({"f": upload()}),
        multipart({"f": upload(b"other")}),
        multipart({"f": upload(name="b.bin")}),
        multipart({"g": upload()}),
        multipart({"f": "\ufffd\x00"}),
        multipart({"f": [upload(), upload()]}),
    }
    assert len(kinds) == 6


def test_text_cannot_stand_for_a_file() -> None:
    file = upload(b"")
    digest = hashlib.sha256(b"").hexdigest()
    as_text = {"a": ["f", "a.bin", file.content_type, digest]}
    assert multipart({"a": file}) != multipart(as_text)


@pytest.mark.parametrize("content", [b"\xff\x00", b"", b"text"])
def test_octets_that_a_parser_leaves_as_they_are(content: bytes) -> None:
    kind = "application/octet-stream"
    assert digest_of(content, kind) == digest_of(content, kind)
    assert digest_of(content, kind) != digest_of(content + b"\x00", kind)


def test_values_that_json_does_not_know() -> None:
    days = [b"2026-01-01", b"2026-01-02", b"2026-01-01"]
    digests = [digest_of(day, "text/x-date") for day in days]
    assert digests[0] == digests[2] != digests[1]


def test_no_digit_of_an_amount_is_lost() -> None:
    amounts = [b"0.1", b"0.10000000000000000001"]
    assert len({digest_of(amount, "text/x-money") for amount in amounts}) == 2


SMALL = b"\xff\xfe binary"
#: More than Django keeps in memory.
LARGE = bytes(range(256)) * 12_000


@pytest.mark.django_db
@pytest.mark.urls("tests.idempotency.urls")
@pytest.mark.parametrize(
    ("content", "form"),
    [(SMALL, True), (LARGE, True), (SMALL, False)],
    ids=["small part", "large part", "whole body"],
)
def test_a_view_reads_files_from_their_beginning(content: bytes, form: bool) -> None:
    post = caller(person("ada"))

    def send(sent: bytes, key: str = "key-1") -> Any:
        if form:
            body = {"file": upload(sent), "text": "1"}
            return post("/uploads/", key, body, format="multipart")
        kind = {"format": None, "content_type": "application/octet-stream"}
        return post("/uploads/a.bin", key, sent, **kind)

    first = send(content)
    assert first.status_code == 201
    assert first.json() == {"file": hashlib.sha256(content).hexdigest()}
    assert send(content)["Idempotent-Replayed"] == "true"
    assert_problem(send(content[:-1]), 422, "idempotency-key-reused")
    assert send(content, "key-2").json() == first.json()


@pytest.mark.django_db
@pytest.mark.urls("tests.idempotency.urls")
@pytest.mark.parametrize(
    ("options", "status", "slug"),
    [
        ({"content_type": JSON}, 400, "malformed-request"),
        ({"content_type": "text/plain"}, 415, "unsupported-media-type"),
    ],
)
def test_a_body_that_cannot_be_read_claims_nothing(
    options: dict[str, Any], status: int, slug: str, post: Call
) -> None:
    response = post(data=b"{", format=None, **options)
    assert_problem(response, status, slug)
    assert not IdempotencyRecord.objects.exists()
    assert post().status_code == 201
