import json
import uuid
from datetime import date
from http import HTTPStatus
from typing import Any

import pytest
from django.utils.translation import gettext_lazy

from drf_apikit.problem_types import NOT_FOUND
from drf_apikit.problems import MEDIA_TYPE, ProblemResponse
from drf_apikit.problems.document import build_document, phrase, type_uri


@pytest.mark.compliance("RFC 9457", "3.1")
def test_a_document_with_a_type() -> None:
    document = build_document(NOT_FOUND, 404, gettext_lazy("Gone."), {"more": 1})
    instance = uuid.UUID(document.pop("instance"))
    assert instance.version == 4
    assert document == {
        "type": "/problems/not-found",
        "title": "Not found",
        "status": 404,
        "detail": "Gone.",
        "more": 1,
    }
    assert type(document["detail"]) is type(document["title"]) is str


@pytest.mark.compliance("RFC 9457", "4.2.1")
def test_a_document_without_a_type() -> None:
    document = build_document(None, 409, "Later.", {})
    assert (document["type"], document["title"]) == ("about:blank", "Conflict")


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
    document = build_document(
        NOT_FOUND,
        404,
        "Gänse \ud800",
        {
            "day": date(2026, 1, 2),
            "lazy": gettext_lazy("lazy"),
        },
    )
    response = ProblemResponse(document, {"X-Own": "1", "Cache-Control": "private"})
    assert response.status_code == 404
    assert response["Content-Type"] == MEDIA_TYPE == "application/problem+json"
    assert (response["X-Own"], response["Cache-Control"]) == ("1", "private")
    sent: dict[str, Any] = json.loads(response.content)
    assert sent["detail"] == "Gänse \ud800"
    assert (sent["day"], sent["lazy"]) == ("2026-01-02", "lazy")
    assert response.document is document


def test_problems_are_not_cached() -> None:
    response = ProblemResponse(build_document(NOT_FOUND, 404, "x", {}), {})
    assert response["Cache-Control"] == "no-store"


def test_type_uri_follows_the_setting(settings: Any) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"TYPE_BASE": "https://errors.test/"}}
    assert type_uri(NOT_FOUND) == "https://errors.test/not-found"
