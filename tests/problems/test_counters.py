"""Each document that is answered is counted once, whichever way it came about."""

from typing import Any

import pytest
from django.http import Http404
from pytest_django import Settings
from rest_framework.exceptions import APIException, ErrorDetail
from rest_framework.test import APIClient

from drf_apikit.exceptions import EditConflict, Problem
from drf_apikit.problem_types import ProblemType
from tests.counting import failing, recorded
from tests.problems.views import Failing, Plain

POOR = ProblemType(
    "poor", "Too poor", 403, "Earn more.", {"balance": {"type": "integer"}}
)
BROWSER = "text/html,application/xhtml+xml;q=0.9"

pytestmark = pytest.mark.urls("tests.problems.urls")


class Teapot(APIException):
    status_code = 418


class Broken(Problem):
    """Its document cannot be written."""

    problem_type = POOR

    def __init__(self) -> None:
        super().__init__()
        self.headers = {"X-Own": "a\nb"}


def ask(url: str, method: str = "get", accept: str = "application/json") -> Any:
    client = APIClient(raise_request_exception=False)
    return getattr(client, method)(url, headers={"Accept": accept})


@pytest.mark.parametrize(
    ("error", "slug", "status"),
    [
        (EditConflict(), "edit-conflict", 409),
        (Problem(problem_type=POOR, balance=7), "poor", 403),
        (Http404("/own/path/"), "not-found", 404),
        (APIException([ErrorDetail("a"), ErrorDetail("b")]), "server-error", 500),
        (Teapot(), "about-blank", 418),
        (Broken(), "about-blank", 403),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_a_document_of_a_view_of_drf(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    error: Exception,
    slug: str,
    status: int,
    accept: str,
) -> None:
    counted = recorded(settings)
    monkeypatch.setattr(Failing, "fail", staticmethod(lambda: error))
    assert ask("/failing/", accept=accept).status_code == status
    labels = {"type": slug, "status": str(status)}
    assert counted == [("problems.answered", labels)]


def test_a_document_of_djangos_error_views(settings: Settings) -> None:
    counted = recorded(settings)
    assert ask("/nowhere/").status_code == 404
    labels = {"type": "not-found", "status": "404"}
    assert counted == [("problems.answered", labels)]


def test_a_document_that_is_returned(settings: Settings) -> None:
    counted = recorded(settings)
    assert ask("/problems/", "post").status_code == 405
    labels = {"type": "method-not-allowed", "status": "405"}
    assert counted == [("problems.answered", labels)]


@pytest.mark.parametrize("url", ["/nowhere/", "/plain/"])
def test_pages_and_good_answers_are_no_documents(settings: Settings, url: str) -> None:
    counted = recorded(settings)
    ask(url, accept=BROWSER)
    assert not counted


def test_a_hook_that_raises_takes_no_document_away(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    hook = {"COUNTER": f"{failing.__module__}.{failing.__name__}"}
    settings.DRF_APIKIT = {"METRICS": hook}
    response = ask("/nowhere/")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    names = [record.name for record in caplog.records]
    assert names.count("drf_apikit.counters") == 1


@pytest.mark.parametrize("url", ["/failing/", "/plain/"])
def test_what_is_nobodys_problem(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, url: str
) -> None:
    def act(_request: object) -> object:
        raise LookupError

    counted = recorded(settings)
    monkeypatch.setattr(Plain, "act", staticmethod(act))
    assert ask(url).status_code == 500
    labels = {"type": "server-error", "status": "500"}
    assert counted == [("problems.answered", labels)]
