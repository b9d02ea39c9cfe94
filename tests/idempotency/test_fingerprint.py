import hashlib
import io
import json
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.http import QueryDict, UnreadablePostError
from django.test.client import encode_multipart
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_django import Settings
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import (
    BaseParser,
    FileUploadParser,
    JSONParser,
    MultiPartParser,
)

from drf_apikit.idempotency.fingerprint import fingerprint, ignoring
from drf_apikit.models import IdempotencyRecord
from drf_apikit.testing import assert_problem
from tests.idempotency.calls import Call, caller, person
from tests.idempotency.uploads import (
    BOUNDARY,
    JSON,
    LargeFile,
    Model,
    ModelParser,
    TextParser,
    parsed_by,
    request_of,
    streamed,
)

DRAFT = "draft-ietf-httpapi-idempotency-key-header"
FORM = "application/x-www-form-urlencoded"
PROTOBUF = "application/x-protobuf"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
NAMED = {"HTTP_CONTENT_DISPOSITION": 'attachment; filename="a.png"'}


def digest_of(body: bytes, content_type: str = JSON, **extra: Any) -> str:
    return fingerprint(request_of(body, content_type, **extra), "key-1")


def multipart(data: dict[str, Any], boundary: str = "first") -> str:
    body = encode_multipart(boundary, data)
    return digest_of(body, f"multipart/form-data; boundary={boundary}")


def upload(
    content: bytes = b"\xff\x00", name: str = "a.bin", kind: str = "a/b"
) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, kind)


SAME = {
    "member order": (b'{"a":1,"b":{"c":2,"d":3}}', b'{"b":{"d":3,"c":2},"a":1}'),
    "white space": (b'{"a":[1,2]}', b'\n{ "a" : [ 1 , 2 ] }\t'),
    "escapes": (b'"\\u00e4"', '"ä"'.encode()),
    "digits": (b"100.0", b"1e2"),
    "a member twice": (b'{"a":1,"a":2}', b'{"a":2}'),
    "no body": (b"", b"{}"),
}
OTHER = {
    "value": (b'{"a":1}', b'{"a":2}'),
    "type": (b'{"a":1}', b'{"a":"1"}'),
    "integer or not": (b'{"a":1}', b'{"a":1.0}'),
    "integer or boolean": (b'{"a":1}', b'{"a":true}'),
    "null": (b'{"a":null}', b"{}"),
    "item order": (b"[1,2]", b"[2,1]"),
    "member": (b'{"a":1}', b'{"a":1,"b":1}'),
    "name": (b'{"a":1}', b'{"A":1}'),
    "false and null": (b"false", b"null"),
    "the last of two members": (b'{"a":1,"a":2}', b'{"a":2,"a":1}'),
    "halves of a pair": (b'"\\ud800"', b'"\\udfff"'),
    "large numbers": (b"9" * 400, b"9" * 399 + b"8"),
    "number, text": (b"1", b'"1"'),
}


@pytest.mark.compliance(DRAFT, "2.4")
@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_the_same_payload(one: bytes, other: bytes) -> None:
    assert digest_of(one) == digest_of(other)
    for kind in ("application/vnd.api+json", "application/json; charset=utf-8"):
        parsers = [parser_of(kind)]
        digests = {digest_of(body, kind, parsers=parsers) for body in (one, other)}
        assert len(digests) == 1


@pytest.mark.compliance(DRAFT, "2.4")
@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_another_payload(one: bytes, other: bytes) -> None:
    assert digest_of(one) != digest_of(other)


def parser_of(media_type: str) -> BaseParser:
    parser = JSONParser()
    parser.media_type = media_type.partition(";")[0]
    return parser


def reversed_members(value: Any) -> Any:
    match value:
        case dict():
            return {k: reversed_members(value[k]) for k in reversed(value)}
        case list():
            return [reversed_members(item) for item in value]
        case _:
            return value


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text()
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(VALUES, VALUES)
def test_digests_are_equal_when_values_are(one: Any, other: Any) -> None:
    first = digest_of(json.dumps(one).encode())
    again = json.dumps(reversed_members(one), indent=2, ensure_ascii=False)
    assert digest_of(again.encode("utf-8", "surrogatepass")) == first
    texts = [json.dumps(value, sort_keys=True) for value in (one, other)]
    same = digest_of(json.dumps(other).encode()) == first
    assert same == (texts[0] == texts[1])


FIELDS = st.dictionaries(
    st.text("ab", min_size=1), st.lists(st.text("xy", max_size=2), min_size=1)
)


def form_of(fields: dict[str, list[str]]) -> bytes:
    query = QueryDict(mutable=True)
    for name, values in fields.items():
        query.setlist(name, values)
    return query.urlencode().encode()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(FIELDS, FIELDS)
def test_forms_are_equal_when_their_fields_are(one: Any, other: Any) -> None:
    again = dict(reversed(one.items()))
    assert digest_of(form_of(one), FORM) == digest_of(form_of(again), FORM)
    assert multipart(one) == multipart(again, "second")
    same = digest_of(form_of(one), FORM) == digest_of(form_of(other), FORM)
    assert same == (one == other) == (multipart(one) == multipart(other))


FILES = st.tuples(
    st.binary(max_size=3),
    st.sampled_from(["a.bin", "b.bin"]),
    st.sampled_from(["a/b", "a/c"]),
)
PARTS = st.dictionaries(st.sampled_from("ab"), st.lists(FILES, min_size=1, max_size=2))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(PARTS, PARTS)
def test_uploads_are_equal_when_their_files_are(one: Any, other: Any) -> None:
    def digest(parts: Any, boundary: str = "first") -> str:
        return multipart(
            {name: [upload(*file) for file in files] for name, files in parts.items()},
            boundary,
        )

    assert digest(one) == digest(dict(reversed(one.items())), "second")
    assert (digest(one) == digest(other)) == (one == other)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.binary(), st.binary())
def test_octets_are_equal_when_they_are(one: bytes, other: bytes) -> None:
    assert digest_of(one, PROTOBUF) == digest_of(one, PROTOBUF)
    assert (digest_of(one, PROTOBUF) == digest_of(other, PROTOBUF)) == (one == other)


@pytest.mark.parametrize(
    "send",
    [
        lambda key: fingerprint(request_of(), key),
        lambda key: fingerprint(request_of(b"a", PROTOBUF), key),
        lambda key: fingerprint(request_of(), key, lambda _: 1),
    ],
    ids=["parsed", "octets", "selected"],
)
def test_who_does_not_know_the_key_cannot_guess(send: Callable[[str], str]) -> None:
    assert len(send("key-1")) == 64
    assert send("key-1") == send("key-1") != send("key-2")


def test_the_query_string_and_the_media_type_are_payload() -> None:
    assert digest_of(b"{}") != digest_of(b"{}", url="/?a=1")
    assert digest_of(b"{}", url="/?a=1&b=1") != digest_of(b"{}", url="/?b=1&a=1")
    assert digest_of(b"a=1", FORM) != digest_of(b'{"a":["1"]}')


def test_parameters_and_case_of_the_media_type_are_not() -> None:
    assert digest_of(b"{}") == digest_of(b"{}", "Application/JSON ; charset=utf-8")
    assert digest_of(b"x", "text/plain") == digest_of(b"x", "Text/Plain; a=b")


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
    assert multipart(data) == multipart({"f": upload(), "a": "1"}, "second")


def test_files_are_payload() -> None:
    kinds = {
        multipart({"f": upload()}),
        multipart({"f": upload(b"other")}),
        multipart({"f": upload(name="b.bin")}),
        multipart({"f": upload(kind="a/c")}),
        multipart({"g": upload()}),
        multipart({"f": "\ufffd\x00"}),
        multipart({"f": [upload(), upload()]}),
    }
    assert len(kinds) == 7


def test_text_cannot_stand_for_a_file() -> None:
    digest = hashlib.sha256(b"").hexdigest()
    as_text = {"a": ["f", "a.bin", "a/b", digest]}
    assert multipart({"a": upload(b"")}) != multipart(as_text)


def test_a_file_is_read_from_its_beginning_afterwards() -> None:
    body = encode_multipart(BOUNDARY, {"f": upload(b"abc")})
    request = request_of(body, MULTIPART)
    fingerprint(request, "key-1")
    assert request.data["f"].read() == b"abc"


@pytest.mark.parametrize(
    ("parser", "kind"),
    [(MultiPartParser(), MULTIPART), (FileUploadParser(), "image/png")],
    ids=["a part", "the whole body"],
)
def test_a_large_upload_costs_little_memory(
    parser: BaseParser, kind: str, settings: Settings, tmp_path: Path
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    digests = []
    for size, last in ((100, b"1"), (4, b"1"), (4, b"2"), (4, b"1")):
        large = LargeFile(size * 1024 * 1024, last)
        request = streamed(large, large.length, kind, [parser])
        request.META.update(NAMED)
        tracemalloc.start()
        digests.append(fingerprint(request, "key-1"))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2 * 1024 * 1024
        (file,) = request.FILES.values()
        assert isinstance(file, TemporaryUploadedFile)
        assert file.tell() == 0
        file.close()
    assert len(set(digests)) == 3
    assert digests[1] == digests[3]


def test_limits_of_django_stay(settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    for body, kind in ((b"a=" + b"x" * 20, FORM), (b'"' + b"x" * 20 + b'"', JSON)):
        with pytest.raises(RequestDataTooBig):
            digest_of(body, kind)
    with pytest.raises(RequestDataTooBig):
        multipart({"a": "x" * 20})
    assert multipart({"a": "x", "f": upload(b"x" * 20)})
    assert digest_of(b"x" * 20, "text/plain")


def test_the_name_of_an_uploaded_file_counts() -> None:
    names = {
        digest_of(
            b"1", "image/png", HTTP_CONTENT_DISPOSITION=f"inline; filename={name}"
        )
        for name in ("a.png", "b.png", "a.png")
    }
    assert len(names) == 2


class Lossy(BaseParser):
    """Gives the same of many bodies."""

    media_type = "text/xml"

    def __init__(self, parsed: Any = "the same") -> None:
        self.parsed = parsed

    def parse(self, *_: Any, **__: Any) -> Any:
        return self.parsed


class Parsed:
    """What a parser gives whose files are none."""

    data = "the same"

    def __init__(self, files: Any) -> None:
        self.files = files


@pytest.mark.parametrize(
    "parsed",
    ["the same", Parsed(None), Parsed({}), Model(b""), None],
    ids=["text", "no files", "empty files", "object", "null"],
)
def test_octets_count_whatever_a_parser_gives(parsed: Any) -> None:
    parser = Lossy(parsed)
    digests = [
        fingerprint(parsed_by(parser, body), "key-1") for body in (b"1", b"2", b"1")
    ]
    assert digests[0] == digests[2] != digests[1]


def test_json_and_forms_that_are_parsed_to_objects_count_as_octets() -> None:
    for kind in (JSON, FORM, "multipart/form-data"):
        parser = Lossy(Model(b""))
        parser.media_type = kind
        digests = [
            fingerprint(parsed_by(parser, body), "key-1") for body in (b"1", b"2", b"1")
        ]
        assert digests[0] == digests[2] != digests[1]


class LaxParser(JSONParser):
    """Gives what JSON does not have, or what a stricter parser would refuse."""

    strict = False

    def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
        return json.load(stream, parse_float=Decimal, parse_int=lambda s: int(s, 16))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"NaN", b"Infinity"),
        (b"NaN", b'"NaN"'),
        (b"0.1", b"0.10000000000000000001"),
        (b"0.1", b'"0.1"'),
        (b"9" * 6000, b"9" * 5999 + b"8"),
        (b'{"\\ud800":1}', b'{"\\ud801":1}'),
        (b'{"\\ud800":1}', b'{"?":1}'),
    ],
)
def test_whatever_a_lax_parser_lets_in(one: bytes, other: bytes) -> None:
    first, again, changed = (
        digest_of(body, parsers=[LaxParser()]) for body in (one, one, other)
    )
    assert first == again != changed


def test_names_that_are_no_texts() -> None:
    parsed = [{1: "a", "b": 2}, {"b": 2, 1: "a"}, {"1": "a", "b": 2}]
    digests = []
    for value in parsed:
        parser = Lossy(value)
        parser.media_type = JSON
        digests.append(fingerprint(parsed_by(parser, b"1"), "key-1"))
    assert digests[0] == digests[1] != digests[2]


def test_depth() -> None:
    value: Any = 1
    for _ in range(5_000):
        value = [value]
    parser = Lossy(value)
    parser.media_type = JSON
    assert fingerprint(parsed_by(parser, b"1"), "key-1")
    assert fingerprint(parsed_by(parser, b"1"), "key-1", ignoring("a"))


@pytest.mark.parametrize("body", [b'"text"', b"1", b"1.5", b"null", b"[]", b"[1]"])
def test_json_that_is_no_object(body: bytes) -> None:
    assert digest_of(body) == digest_of(b" " + body) != digest_of(b"{}")


@pytest.mark.parametrize("content_type", ["", JSON, FORM, "text/plain", "no/parser"])
def test_an_empty_body(content_type: str) -> None:
    assert digest_of(b"", content_type) == digest_of(b"", content_type)


def read_by_session_authentication(request: Any) -> None:
    request._request.user = User(username="ada")
    SessionAuthentication().authenticate(request)


def read_by_permission(request: Any) -> None:
    assert request.data is not None


def read_by_middleware(request: Any) -> None:
    assert request._request.body


SOMETHING = [read_by_session_authentication, read_by_permission, read_by_middleware]
CSRF = {"HTTP_COOKIE": "csrftoken=" + "a" * 32, "HTTP_X_CSRFTOKEN": "a" * 32}


@pytest.mark.parametrize("read", SOMETHING)
@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (JSON, b'{"a":1}', b'{"a":2}'),
        (FORM, b"a=1", b"a=2"),
        ("text/plain", b"a", b"b"),
        ("image/png", b"a", b"b"),
    ],
)
def test_a_body_that_was_read_before(
    read: Callable[[Any], None], kind: str, one: bytes, other: bytes
) -> None:
    def digest(body: bytes, *, early: bool = True) -> str:
        extra: dict[str, Any] = {**NAMED, **CSRF}
        request = request_of(body, kind, **extra)
        if early:
            read(request)
        return fingerprint(request, "key-1")

    assert digest(one) == digest(one) != digest(other)
    if kind in (JSON, FORM):
        assert digest(one) == digest(one, early=False)


def test_a_form_that_django_has_parsed() -> None:
    body = encode_multipart(BOUNDARY, {"a": "1", "f": upload()})
    request = request_of(body, MULTIPART)
    assert request._request.POST["a"] == "1"
    assert fingerprint(request, "key-1") == digest_of(body, MULTIPART)


def octets_of(request: Any) -> Any:
    return request.data.octets


def test_objects_that_were_parsed_before_their_octets_were_watched() -> None:
    request = request_of(b"1", PROTOBUF)
    read_by_permission(request)
    with pytest.raises(TypeError, match=r"parsed to Model.*Give `fingerprint=`"):
        fingerprint(request, "key-1")
    assert fingerprint(request, "key-1", octets_of)


def test_a_parser_that_reads_later() -> None:
    class Later(Lossy):
        def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
            return iter(stream)

    with pytest.raises(TypeError, match="Give `fingerprint=`"):
        fingerprint(parsed_by(Later(), b"1\n2"), "key-1")
    request = parsed_by(Later(), b"1\n2", HTTP_CONTENT_DIGEST="sha-256=:1:")
    fingerprint(request, "key-1", lambda r: r.headers["Content-Digest"])
    assert list(request.data) == [b"1\n", b"2"]


class Cut(io.BytesIO):
    """A connection that ends before the body does."""

    def read(self, size: int | None = -1, /) -> bytes:
        if octets := super().read(size):
            return octets
        raise OSError("The client went away.")


class Hasty(TextParser):
    def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
        return stream.read(1).decode()


def test_bodies_that_are_cut_off() -> None:
    multipart = encode_multipart(BOUNDARY, {"f": upload(b"x" * 99)})[:200]
    with pytest.raises(UnreadablePostError):
        fingerprint(streamed(Cut(multipart), 999), "key-1")
    for body, kind, parser in (
        (b"x", PROTOBUF, Hasty()),
        (b'{"a":', JSON, JSONParser()),
        (b"", PROTOBUF, ModelParser()),
    ):
        parser.media_type = kind
        stream = Cut(body) if isinstance(parser, Hasty) else io.BytesIO(body)
        with pytest.raises(ParseError):
            fingerprint(streamed(stream, 99, kind, [parser]), "key-1")


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        (b"{", JSON, ParseError),
        (b"NaN", JSON, ParseError),
        (b"x", "no/type", UnsupportedMediaType),
        (b"x", "multipart/form-data", ParseError),
    ],
)
def test_errors_of_parsers(
    body: bytes, content_type: str, error: type[Exception]
) -> None:
    parsers = [JSONParser(), MultiPartParser()]
    with pytest.raises(error):
        digest_of(body, content_type, parsers=parsers)


def a_of(request: Any) -> Any:
    return request.data["a"]


def test_what_is_selected_counts_alone() -> None:
    def digest(body: bytes, content_type: str = JSON, url: str = "/") -> str:
        request = request_of(body, content_type, url=url)
        return fingerprint(request, "key-1", a_of)

    one = digest(b'{"a":1,"b":1}')
    assert one == digest(b'{"a":1,"b":2}')
    assert one != digest(b'{"a":2,"b":1}')
    assert one != digest(b'{"a":1,"b":1}', url="/?a")


def selected(value: Any) -> str:
    return fingerprint(request_of(), "key-1", lambda _: value)


def test_anything_that_can_be_compared_can_be_selected() -> None:
    file = upload(b"1")
    values: list[Any] = [None, 1, Decimal(1), UUID(int=1), b"1", file, [file]]
    values += [{"f": upload(b"2")}, {1: file}]
    digests = {selected(value) for value in values}
    assert len(digests) == len(values)
    assert file.read() == b"1"


@pytest.mark.parametrize(
    ("value", "name"), [({"a": {1, 2}}, "set"), (Model(b""), "Model")]
)
def test_what_cannot_be_compared_cannot_be_selected(value: Any, name: str) -> None:
    with pytest.raises(TypeError, match=rf"`fingerprint=` returned.*: {name}\."):
        selected(value)


def test_the_body_is_read_although_nothing_of_it_is_selected() -> None:
    stream = io.BytesIO(b"octets")
    request = streamed(stream, 6, "text/plain", [TextParser()])
    fingerprint(request, "key-1", lambda _: None)
    assert stream.read() == b""
    assert request.data == "octets"
    with pytest.raises(ParseError):
        fingerprint(request_of(b"{"), "key-1", lambda _: None)


def test_a_view_that_reads_the_stream_itself_selects_from_the_head() -> None:
    stream = io.BytesIO(b"octets")
    request = streamed(stream, 6, "no/parser", [])
    fingerprint(request, "key-1", lambda _: None)
    assert request.stream.read() == b"octets"


def test_a_selection_may_read_the_body_itself() -> None:
    request = request_of(b"octets", "text/plain")
    fingerprint(request, "key-1", lambda r: r.body)
    assert request.data == "octets"


def test_ignored_members() -> None:
    sent = {
        "sent_at": 1,
        "a": {"sent_at": 2, "nonce": 3, "b": [{"nonce": 4}, [{"nonce": 5, "c": 6}], 7]},
        "d": [1, None],
    }
    body = json.dumps(sent).encode()

    def left(*names: str) -> Any:
        request = request_of(body)
        selected = ignoring(*names)(request)
        assert request.data == sent
        return selected

    assert left("none", "a.none", "d.none", "sent_at.none") == sent
    inner = {"sent_at": 2, "nonce": 3, "b": [{}, [{"c": 6}], 7]}
    assert left("sent_at", "a.b.nonce") == {"a": inner, "d": [1, None]}
    assert left("a.b", "a.sent_at", "d") == {"sent_at": 1, "a": {"nonce": 3}}
    for names in (("a", "a.b"), ("a.b", "a"), ("a.b.nonce", "a", "a.b")):
        assert left(*names) == {"sent_at": 1, "d": [1, None]}


@pytest.mark.parametrize("body", [b"1", b'"a"', b"null", b"[]", b"{}"])
def test_nothing_to_ignore(body: bytes) -> None:
    assert ignoring("a.b")(request_of(body)) == json.loads(body)


def test_ignored_items_of_a_list() -> None:
    select = ignoring("nonce")
    bodies = [b'[{"nonce":1,"a":1}]', b'[{"nonce":2,"a":1}]', b'[{"nonce":1,"a":2}]']
    digests = [fingerprint(request_of(body), "key-1", select) for body in bodies]
    assert digests[0] == digests[1] != digests[2]


def test_ignored_fields_of_a_form() -> None:
    def digest(content: bytes, **fields: str) -> str:
        body = encode_multipart(BOUNDARY, {"f": upload(content), **fields})
        select = ignoring("nonce", "meta.nonce")
        return fingerprint(request_of(body, MULTIPART), "key-1", select)

    one = digest(b"1", a="1", nonce="1", **{"meta.nonce": "1"})
    assert one == digest(b"1", a="1", nonce="2", **{"meta.nonce": "2"})
    assert one != digest(b"2", a="1", nonce="1")
    assert one != digest(b"1", a="2", nonce="1")
    plain = request_of(b"a=1&nonce=2&a=3", FORM)
    assert ignoring("nonce")(plain) == {"a": ["1", "3"]}


def test_references_within_a_document_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drf_apikit.idempotency.fingerprint.MAX_VALUES", 1_000)
    monkeypatch.setattr("drf_apikit.idempotency.canonical.MAX_VALUES", 1_000)
    cycle: list[Any] = []
    cycle.append(cycle)
    request = parsed_by(Lossy(cycle), b"1")
    with pytest.raises(TypeError, match="million"):
        fingerprint(request, "key-1", ignoring("a"))


@pytest.mark.parametrize("names", [(), ("",), ("a..b",), ("a.",), (["a"],), (1,)])
def test_names_that_cannot_be_ignored(names: Any) -> None:
    with pytest.raises(TypeError, match="sent_at"):
        ignoring(*names)


#: The digests of these requests are stored already.
STORED = {
    "parsed": (
        b'{"b":[1,0.5,"\xc3\xa4"],"a":null}',
        JSON,
        "18cb09d15d914b4b6daf8bde6acaa6f83161ea2e0fcd90f5cbb6777d54d081d9",
    ),
    "form": (
        b"b=2&a=1&a=2",
        FORM,
        "532262676160ade832c14d4f72fa9de663e7aebd6afadf91d0c425f7912581a1",
    ),
    "octets": (
        b"\x00\xff",
        PROTOBUF,
        "e25b3e303d210d9d3dd2fc7341049684773b5d341a0b35d9e87bc84ad997cbe7",
    ),
}


@pytest.mark.parametrize(("body", "kind", "stored"), STORED.values(), ids=STORED)
def test_stored_fingerprints_stay_valid(body: bytes, kind: str, stored: str) -> None:
    assert digest_of(body, kind, url="/?q=1") == stored


SMALL = b"\xff\xfe binary"
#: More than Django keeps in memory, and more than it takes of a form.
LARGE = bytes(range(256)) * 16_000


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
