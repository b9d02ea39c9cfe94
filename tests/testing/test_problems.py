import json
from typing import Any

import pytest
from django.http import HttpResponse

from drf_apikit.testing import assert_problem

GOOD = {
    "type": "https://api.example/problems/poor",
    "title": "Too poor",
    "status": 409,
    "detail": "The balance is 30.",
    "instance": "urn:uuid:5f0c8a52-7f4a-4b7e-9b1c-5f1d8f0a9c11",
    "balance": 30,
    "owner": None,
}

NO_TEXTS: list[Any] = [None, "", 7, ["poor"], {}]
NO_STATUSES: list[Any] = [None, "409", 400, []]


def response(
    status: int = 409, content_type: str = "application/problem+json", **members: Any
) -> HttpResponse:
    return HttpResponse(
        json.dumps({**GOOD, **members}), status=status, content_type=content_type
    )


def of(document: Any) -> HttpResponse:
    content = json.dumps(document)
    return HttpResponse(content, status=409, content_type="application/problem+json")


def with_member(name: str, value: Any) -> HttpResponse:
    return of({**GOOD, name: value})


def without(name: str) -> HttpResponse:
    return of({key: value for key, value in GOOD.items() if key != name})


def test_a_good_document_is_given() -> None:
    assert assert_problem(response(), 409, "poor") == GOOD
    assert assert_problem(response(), 409, "poor", balance=30, owner=None) == GOOD
    assert assert_problem(response(), 409, "poor", title="Too poor") == GOOD


@pytest.mark.compliance("RFC 9457", "4.2.1")
def test_without_a_slug_the_type_is_blank() -> None:
    assert assert_problem(response(type="about:blank"), 409)["status"] == 409
    with pytest.raises(AssertionError):
        assert_problem(response(), 409)
    with pytest.raises(AssertionError):
        assert_problem(response(type="about:blank"), 409, "poor")


@pytest.mark.compliance("RFC 9457", "3.1")
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(response(content_type="application/json"), id="json"),
        pytest.param(response(content_type="text/html"), id="html"),
        pytest.param(
            response(content_type="application/problem+json; charset=utf-8"),
            id="charset",
        ),
        pytest.param(response(status=200), id="status-line"),
        pytest.param(response(status=400), id="another-status-line"),
        pytest.param(response(type="https://api.example/problems/rich"), id="slug"),
        pytest.param(response(type="https://api.example/poor/"), id="slash"),
        pytest.param(response(type="/problems/very-poor"), id="longer-slug"),
        *[
            pytest.param(with_member(name, value), id=f"{name}-{value!r}")
            for name in ("type", "title", "detail", "instance")
            for value in NO_TEXTS
        ],
        *[
            pytest.param(with_member("status", value), id=f"status-{value!r}")
            for value in NO_STATUSES
        ],
        *[
            pytest.param(without(name), id=f"no-{name}")
            for name in ("type", "title", "status", "detail", "instance")
        ],
    ],
)
def test_each_defect_fails(bad: HttpResponse) -> None:
    with pytest.raises(AssertionError):
        assert_problem(bad, 409, "poor")


@pytest.mark.parametrize(
    "members",
    [{"balance": 31}, {"balance": "30"}, {"currency": "EUR"}, {"currency": None}],
    ids=repr,
)
def test_members_must_be_there_with_their_values(members: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        assert_problem(response(), 409, "poor", **members)


@pytest.mark.parametrize("document", [[], [GOOD], "poor", 409, None], ids=repr)
def test_a_document_is_an_object(document: Any) -> None:
    with pytest.raises(AssertionError):
        assert_problem(of(document), 409, "poor")


def test_a_response_without_a_type_fails() -> None:
    bare = HttpResponse(json.dumps(GOOD), status=409)
    del bare["Content-Type"]
    with pytest.raises(AssertionError):
        assert_problem(bare, 409, "poor")
