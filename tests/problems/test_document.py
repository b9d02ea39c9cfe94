import json
import logging
import uuid
from datetime import date
from http import HTTPStatus
from typing import Any

import pytest
from django.test import RequestFactory
from django.utils import translation
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy

from drf_apikit.problem_types import NOT_FOUND, ProblemType
from drf_apikit.problems import MEDIA_TYPE
from drf_apikit.problems.document import Answer, phrase, respond, type_uri
from drf_apikit.testing import assert_problem

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def of(detail: Any = "x", **members: Any) -> Answer:
    return Answer(404, NOT_FOUND, detail, members)


def explode() -> str:
    raise LookupError("the text of a secret")


RAISING: Any = lazy(explode, str)()


def sent(answer: Answer) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(respond(answer).content)
    return document


def reported(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.message for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.compliance("RFC 9457", "3.1")
def test_a_document_with_a_type() -> None:
    response = respond(of(gettext_lazy("Gone."), more=1))
    document = json.loads(response.content)
    assert document == response.document
    instance = uuid.UUID(document.pop("instance"))
    assert instance.version == 4
    assert document == {
        "type": "/problems/not-found",
        "title": "Not found",
        "status": 404,
        "detail": "Gone.",
        "more": 1,
    }
    texts = response.document["detail"], response.document["title"]
    assert [type(text) for text in texts] == [str, str]


@pytest.mark.compliance("RFC 9457", "4.2.1")
def test_a_document_without_a_type() -> None:
    document = sent(Answer(409, None, "Later."))
    assert (document["type"], document["title"]) == ("about:blank", "Conflict")


def test_a_document_always_has_a_detail() -> None:
    assert sent(Answer(409))["detail"] == "Conflict"
    assert sent(Answer(404, NOT_FOUND))["detail"] == "Not Found"


@pytest.mark.compliance("RFC 9457", "4.2.1")
@pytest.mark.parametrize(
    ("status", "title"),
    [
        (400, "Bad Request"),
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Content"),
        (499, "Bad Request"),
        (599, "Internal Server Error"),
    ],
)
def test_titles_are_the_phrases_of_rfc_9110(status: int, title: str) -> None:
    assert phrase(status) == title


def test_every_status_has_a_phrase() -> None:
    assert all(phrase(status.value) for status in HTTPStatus)


@pytest.mark.compliance("RFC 9457", "6.1")
def test_the_response() -> None:
    headers = {"X-Own": "1", "Cache-Control": "private"}
    members = {"day": date(2026, 1, 2), "lazy": gettext_lazy("lazy")}
    response = respond(Answer(404, NOT_FOUND, "Gänse \ud800", members, headers))
    assert response.status_code == 404
    assert response["Content-Type"] == MEDIA_TYPE == "application/problem+json"
    assert (response["X-Own"], response["Cache-Control"]) == ("1", "private")
    document: dict[str, Any] = json.loads(response.content)
    assert document["detail"] == "Gänse ?"
    assert (document["day"], document["lazy"]) == ("2026-01-02", "lazy")


def test_problems_are_not_cached() -> None:
    assert respond(of())["Cache-Control"] == "no-store"


def test_type_uri_follows_the_setting(settings: Any) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"TYPE_BASE": "https://errors.test/"}}
    assert type_uri(NOT_FOUND) == "https://errors.test/not-found"


@pytest.mark.compliance("RFC 9110", "8.5")
def test_the_language_is_told() -> None:
    with translation.override("de"):
        response = respond(Answer(404, NOT_FOUND, NOT_FOUND.documentation))
    assert response["Content-Language"] == "de"
    document = json.loads(response.content)
    assert document["title"] == "Nicht gefunden"
    assert document["type"] == "/problems/not-found"
    with translation.override(None):
        response = respond(of())
    assert "Content-Language" not in response


def test_a_request_gives_its_trace_and_its_instance() -> None:
    request = RequestFactory().get("/", headers={"traceparent": PARENT})
    first, second = respond(of(), request), respond(Answer(500), request)
    assert first.document["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert first.document["instance"] == second.document["instance"]
    other = respond(of(), RequestFactory().get("/"))
    assert other.document["instance"] != first.document["instance"]
    assert "trace_id" not in other.document


def cycle() -> Any:
    ring: list[Any] = []
    ring.append(ring)
    return ring


def deep() -> Any:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    return nested


UNWRITABLE: dict[str, Any] = {
    "bytes": b"\xff\xfe",
    "NaN": float("nan"),
    "infinity": {"a": [float("-inf")]},
    "cycle": cycle(),
    "deep": deep(),
    "lazy": RAISING,
    "object": object(),
    "key": {(1, 2): 3},
    "digits": 10**5_000,
}


@pytest.mark.parametrize("value", UNWRITABLE.values(), ids=UNWRITABLE)
def test_a_member_that_cannot_be_written_is_left_out_and_reported(
    value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    response = respond(Answer(404, NOT_FOUND, "x", {"odd": value, "even": 2}))
    document = assert_problem(response, 404, "not-found", even=2, detail="x")
    assert "odd" not in document
    assert document == response.document
    assert reported(caplog) == [
        "A problem document has a member that cannot be written"
    ]


WRITABLE: dict[str, Any] = {
    "huge": "x" * 1_000_000,
    "NUL": "\0",
    "line separators": "\u2028\u2029",
    "integer": 2**200,
    "set": {1},
}


@pytest.mark.parametrize("value", WRITABLE.values(), ids=WRITABLE)
def test_odd_members_that_json_can_hold_are_kept(
    value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    document = assert_problem(respond(of(odd=value)), 404, "not-found")
    assert document["odd"] == ([1] if value == {1} else value)
    assert reported(caplog) == []


class Textless:
    def __str__(self) -> str:
        raise RuntimeError("the text of a secret")


FAULTY: dict[str, tuple[Answer, int, str]] = {
    "lazy title": (
        Answer(409, ProblemType("odd", RAISING, 409), "x"),
        409,
        "Conflict",
    ),
    "lazy detail": (of(RAISING), 404, "Not Found"),
    "detail without text": (of(Textless()), 404, "Not Found"),
    "header of two lines": (
        Answer(404, NOT_FOUND, "x", {}, {"X-Own": "a\nSet-Cookie: b"}),
        404,
        "Not Found",
    ),
}


@pytest.mark.parametrize(("answer", "status", "title"), FAULTY.values(), ids=FAULTY)
def test_a_fault_of_the_formatter_gives_a_constant_document(
    answer: Answer, status: int, title: str, caplog: pytest.LogCaptureFixture
) -> None:
    request = RequestFactory().get("/")
    response = respond(answer, request)
    document = assert_problem(response, status, None, title=title, detail=title)
    assert set(document) == {"type", "title", "status", "detail", "instance"}
    assert reported(caplog) == ["A problem document could not be written"]
    assert "X-Own" not in response
    assert "secret" not in response.content.decode()
    assert respond(of(), request).document["instance"] == document["instance"]


@pytest.mark.parametrize("status", [None, "many", 99, 600, 10**30], ids=repr)
def test_what_is_no_status_is_a_500(
    status: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert_problem(respond(Answer(status, None, "x")), 500, None)
    assert reported(caplog) == ["A problem document could not be written"]


@pytest.mark.parametrize("status", ["409", HTTPStatus.CONFLICT], ids=repr)
def test_a_status_is_a_number(status: Any) -> None:
    assert_problem(respond(Answer(status, None, "x")), 409, None, title="Conflict")
