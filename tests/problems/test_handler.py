import json
import logging
from typing import Any, Literal

import pytest
from django.core.exceptions import PermissionDenied
from django.core.signals import got_request_exception
from django.http import Http404
from django.test import RequestFactory
from rest_framework import exceptions
from rest_framework.authentication import (
    BasicAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)
from rest_framework.test import APIClient, APIRequestFactory

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.exceptions import InvalidToken, Problem
from drf_apikit.logs import ProblemInstanceFilter
from drf_apikit.problem_types import ProblemType
from drf_apikit.problems import ParameterError, exception_handler
from drf_apikit.problems.occurrence import identify
from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.problems.views import Duck, Failing, Guarded, NoChallenge

POOR = ProblemType(
    "poor", "Too poor", 403, "Earn more.", {"balance": {"type": "integer"}}
)
SECRET = "the text of another layer"

pytestmark = pytest.mark.urls("tests.problems.urls")


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that has a request fail with an exception."""

    def failing(error: Exception, method: str = "get", **headers: str) -> Any:
        monkeypatch.setattr(Failing, "fail", staticmethod(lambda: error))
        client = APIClient(raise_request_exception=False, headers=headers)
        return getattr(client, method)("/failing/")

    return failing


class Teapot(exceptions.APIException):
    status_code = 418
    default_detail = "Short and stout."


class Unprocessable(exceptions.ValidationError):
    status_code = 422


class Poorer(Problem):
    problem_type = POOR


def changed(error: exceptions.APIException, status: int) -> exceptions.APIException:
    error.status_code = status
    return error


EXCEPTIONS: dict[str, tuple[Exception, int, str | None]] = {
    "ValidationError": (exceptions.ValidationError("no"), 400, "validation-error"),
    "ParseError": (exceptions.ParseError(), 400, "malformed-request"),
    "AuthenticationFailed": (
        exceptions.AuthenticationFailed(),
        401,
        "invalid-credentials",
    ),
    "NotAuthenticated": (exceptions.NotAuthenticated(), 401, "not-authenticated"),
    "PermissionDenied": (exceptions.PermissionDenied(), 403, "permission-denied"),
    "NotFound": (exceptions.NotFound(), 404, "not-found"),
    "MethodNotAllowed": (
        exceptions.MethodNotAllowed("GET"),
        405,
        "method-not-allowed",
    ),
    "NotAcceptable": (exceptions.NotAcceptable(), 406, "not-acceptable"),
    "UnsupportedMediaType": (
        exceptions.UnsupportedMediaType("a/b"),
        415,
        "unsupported-media-type",
    ),
    "Throttled": (exceptions.Throttled(), 429, "throttled"),
    "APIException": (exceptions.APIException(), 500, "server-error"),
    "Http404": (Http404(SECRET), 404, "not-found"),
    "Django's PermissionDenied": (PermissionDenied(SECRET), 403, "permission-denied"),
    "own status": (Teapot(), 418, None),
    "own status of a descendant": (Unprocessable("no"), 422, None),
    "changed status": (changed(exceptions.APIException(), 418), 418, None),
    "Problem": (Problem(problem_type=POOR), 403, "poor"),
    "subclass of Problem": (Poorer("You are.", balance=3), 403, "poor"),
    "InvalidToken": (InvalidToken(), 401, "invalid-token"),
}


@pytest.mark.compliance("RFC 9457", "3")
@pytest.mark.parametrize(
    ("error", "status", "slug"), EXCEPTIONS.values(), ids=EXCEPTIONS
)
def test_every_api_exception_is_a_problem(
    error: Exception, status: int, slug: str | None, fail: Any
) -> None:
    response = fail(error)
    document = assert_problem(response, status, slug)
    assert response["Cache-Control"] == "no-store"
    assert SECRET not in response.content.decode()
    assert response["Allow"] == "GET, POST, HEAD, OPTIONS"
    assert set(document) >= {"type", "title", "status", "detail", "instance"}


def test_every_exception_of_drf_is_tried() -> None:
    known = {
        name
        for name, value in vars(exceptions).items()
        if isinstance(value, type) and issubclass(value, exceptions.APIException)
    }
    assert known <= set(EXCEPTIONS)


@pytest.mark.compliance("RFC 9457", "3.1.5")
def test_each_occurrence_has_a_name(fail: Any) -> None:
    answers = [fail(exceptions.NotFound()) for _ in range(5)]
    names = {json.loads(answer.content)["instance"] for answer in answers}
    assert len(names) == 5
    assert all(name.startswith("urn:uuid:") for name in names)


@pytest.mark.compliance("RFC 9457", "3.1.1")
@pytest.mark.parametrize("base", ["/problems/", "https://errors.test/types/"])
def test_type_follows_the_setting_and_never_the_host(
    base: str, fail: Any, settings: Any
) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"TYPE_BASE": base}}
    settings.ALLOWED_HOSTS = ["*"]
    response = fail(exceptions.NotFound(), Host="evil.test")
    assert json.loads(response.content)["type"] == f"{base}not-found"


@pytest.mark.compliance("RFC 9457", "3.1.4")
@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (exceptions.NotFound("No such order."), "No such order."),
        (exceptions.NotFound(), "Not found."),
        (exceptions.ValidationError({"a": ["b"]}), "Invalid input."),
        (Problem("You are.", problem_type=POOR), "You are."),
        (Problem(problem_type=POOR), "Earn more."),
        (Teapot(), "Short and stout."),
        (Teapot({"a": "b"}), "Short and stout."),
    ],
)
def test_detail_is_one_text(error: Exception, detail: str, fail: Any) -> None:
    assert json.loads(fail(error).content)["detail"] == detail


@pytest.mark.compliance("RFC 9457", "3.2")
def test_extension_members(fail: Any) -> None:
    error = Problem("You are.", problem_type=POOR, balance=3)
    assert_problem(fail(error), 403, "poor", balance=3, title="Too poor")


def test_an_exception_with_several_details_lists_them(fail: Any) -> None:
    document = assert_problem(fail(Teapot({"a": ["b", "c"]})), 418, None)
    assert document["title"] == "I'm a Teapot"
    assert document["errors_total"] == 2


@pytest.mark.compliance("RFC 9110", "15.5.2")
@pytest.mark.parametrize(
    "error", [exceptions.NotAuthenticated(), exceptions.AuthenticationFailed()]
)
def test_401_says_how_to_authenticate(error: Exception, fail: Any) -> None:
    assert fail(error)["WWW-Authenticate"] == 'Basic realm="api"'


def test_a_problem_may_say_it_in_its_own_way(fail: Any) -> None:
    error = InvalidToken(headers={"WWW-Authenticate": "Bearer", "X-Own": "1"})
    response = fail(error)
    assert (response["WWW-Authenticate"], response["X-Own"]) == ("Bearer", "1")


def test_without_a_challenge_it_is_403(
    fail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Failing, "authentication_classes", [])
    assert_problem(fail(exceptions.NotAuthenticated()), 403, None, title="Forbidden")


@pytest.mark.compliance("RFC 9110", "10.2.3")
@pytest.mark.parametrize(
    ("wait", "header"), [(None, None), (0, "0"), (1.2, "2"), (60, "60")]
)
def test_429_says_when_to_come_again(
    wait: float | None, header: str | None, fail: Any
) -> None:
    response = fail(exceptions.Throttled(wait))
    assert response.get("Retry-After") == header


@pytest.mark.compliance("RFC 9110", "15.5.6")
def test_405_says_what_is_allowed() -> None:
    response = APIClient().put("/failing/")
    assert_problem(response, 405, "method-not-allowed")
    assert response["Allow"] == "GET, POST, HEAD, OPTIONS"


@pytest.mark.compliance("RFC 9110", "15.5.7")
def test_406_is_a_problem_all_the_same() -> None:
    response = APIClient().get("/failing/", headers={"Accept": "image/png"})
    assert_problem(response, 406, "not-acceptable")


@pytest.mark.parametrize("accept", ["application/problem+json, */*;q=0.1", "*/*"])
def test_any_client_gets_json(accept: str, fail: Any) -> None:
    assert_problem(fail(exceptions.NotFound(), Accept=accept), 404, "not-found")


@pytest.mark.parametrize("query", ["?format=api", "?format=admin"])
@pytest.mark.django_db
def test_a_person_keeps_the_page(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = Problem(problem_type=POOR, headers={"X-Own": "1"}, balance=77)
    monkeypatch.setattr(Failing, "fail", staticmethod(lambda: error))
    response = APIClient().get(f"/failing/{query}")
    assert response.status_code == 403
    assert response["Content-Type"].startswith("text/html")
    assert b"77" in response.content
    assert response["X-Own"] == "1"
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("error", [LookupError(SECRET), ValueError(), KeyError("a")])
def test_what_is_no_api_exception_is_django_s(error: Exception, fail: Any) -> None:
    heard: list[object] = []

    def note(**_: object) -> None:
        heard.append(1)

    got_request_exception.connect(note)
    try:
        response = fail(error)
    finally:
        got_request_exception.disconnect(note)
    assert_problem(response, 500, "server-error")
    assert SECRET not in response.content.decode()
    assert heard == [1]
    assert exception_handler(error, {}) is None


def test_without_a_request() -> None:
    response: Any = exception_handler(exceptions.NotFound(), {"request": None})
    assert_problem(response, 404, "not-found")
    plain = {"request": APIRequestFactory().get("/")}
    assert_problem(exception_handler(Http404(), plain), 404, "not-found")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database", "atomic_requests")
def test_a_failed_request_is_rolled_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def write_and_fail() -> Exception:
        Article.objects.create()
        return exceptions.NotFound()

    monkeypatch.setattr(Failing, "fail", staticmethod(write_and_fail))
    assert APIClient().get("/failing/").status_code == 404
    assert not Article.objects.exists()


BEARER = 'Bearer realm="api"'
BASIC = 'Basic realm="api"'
CHALLENGES: dict[str, tuple[list[Any], str | None]] = {
    "one": ([BasicAuthentication], BASIC),
    "two": ([JWTBearerAuthentication, BasicAuthentication], f"{BEARER}, {BASIC}"),
    "in the order of the view": (
        [BasicAuthentication, JWTBearerAuthentication],
        f"{BASIC}, {BEARER}",
    ),
    "the first has none": ([NoChallenge, JWTBearerAuthentication], BEARER),
    "session first": ([SessionAuthentication, JWTBearerAuthentication], BEARER),
    "one has not even the method": ([BasicAuthentication, Duck], BASIC),
    "each once": ([BasicAuthentication, NoChallenge, BasicAuthentication], BASIC),
    "three": (
        [SessionAuthentication, TokenAuthentication, BasicAuthentication],
        f"Token, {BASIC}",
    ),
    "session alone": ([SessionAuthentication], None),
}


@pytest.mark.compliance("RFC 9110", "11.6.1")
@pytest.mark.parametrize(("classes", "challenge"), CHALLENGES.values(), ids=CHALLENGES)
def test_all_schemes_are_offered(
    classes: list[Any], challenge: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guarded, "authentication_classes", classes)
    response = APIClient().get("/guarded/")
    if challenge is None:
        assert_problem(response, 403, None, title="Forbidden")
    else:
        assert_problem(response, 401, "not-authenticated")
    assert response.get("WWW-Authenticate") == challenge


def test_wrong_credentials_are_offered_all_schemes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    classes = [NoChallenge, JWTBearerAuthentication, BasicAuthentication]
    monkeypatch.setattr(Guarded, "authentication_classes", classes)
    response = APIClient().get("/guarded/", headers={"Authorization": "Bearer a"})
    assert_problem(response, 401, "invalid-token")
    expected = f'{BEARER}, error="invalid_token", {BASIC}'
    assert response["WWW-Authenticate"] == expected


def test_a_problem_that_a_challenge_would_explain_has_none_without(
    fail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Failing, "authentication_classes", [SessionAuthentication])
    document = assert_problem(fail(InvalidToken()), 403, None)
    assert document["detail"] == str(InvalidToken().detail)


@pytest.mark.compliance("RFC 9110", "15.5.2")
@pytest.mark.parametrize(
    "error",
    [
        Problem(problem_type=ProblemType("who", "Who?", 401)),
        ExceptionGroup("two", [exceptions.NotAuthenticated(), InvalidToken()]),
    ],
    ids=["own type", "group"],
)
def test_every_401_says_how_to_authenticate(error: Exception, fail: Any) -> None:
    response = fail(error)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == BASIC


@pytest.mark.compliance("RFC 6750", "3.1")
def test_a_refusal_may_come_with_a_challenge_of_its_own(fail: Any) -> None:
    error = exceptions.PermissionDenied()
    vars(error)["auth_header"] = 'Bearer error="insufficient_scope"'
    response = fail(error)
    assert_problem(response, 403, "permission-denied")
    assert response["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'


def test_no_other_failure_has_a_challenge(fail: Any) -> None:
    for error in (exceptions.PermissionDenied(), Http404(), LookupError()):
        assert "WWW-Authenticate" not in fail(error)


class Broken(BasicAuthentication):
    def authenticate_header(self, _request: Any) -> str:
        raise LookupError(SECRET)


def errors_in(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [r for r in caplog.records if r.levelno >= logging.ERROR]


def test_what_cannot_be_described_is_a_500_and_reported(
    fail: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Detailless(exceptions.APIException):
        def __init__(self) -> None:
            """Never become what DRF makes of an API exception."""

    assert_problem(fail(Detailless()), 500, None)
    (first, *_) = errors_in(caplog)
    assert first.message == "An exception could not be described"
    assert first.exc_info


def test_an_authenticator_that_raises_is_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    classes = [NoChallenge, Broken]
    monkeypatch.setattr(Guarded, "authentication_classes", classes)
    response = APIClient().get("/guarded/")
    assert_problem(response, 500, None)
    assert SECRET not in response.content.decode()
    assert errors_in(caplog)[0].message == "An exception could not be described"


def test_the_log_record_has_the_instance_of_the_document(
    fail: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for error in (exceptions.NotFound(), LookupError(SECRET)):
        caplog.clear()
        document = json.loads(fail(error).content)
        (record,) = caplog.records
        seen: Any = record
        assert ProblemInstanceFilter().filter(record)
        assert seen.problem_instance == document["instance"]


def test_an_unhandled_exception_is_identified() -> None:
    request = APIRequestFactory().get("/")
    assert exception_handler(LookupError(), {"request": request}) is None
    first = identify(request)
    assert exception_handler(LookupError(), {"request": request}) is None
    assert identify(request) == first
    assert exception_handler(LookupError(), {}) is None


ODD = [b"\xff", 10**5_000, {"a": {"b": []}}, [], {}, ""]


@pytest.mark.parametrize("detail", ODD, ids=range(len(ODD)))
def test_odd_details_never_break_the_handler(detail: Any, fail: Any) -> None:
    error = Teapot()
    error.detail = detail
    document = assert_problem(fail(error), json.loads(fail(error).content)["status"])
    assert document["detail"]


@pytest.mark.compliance("RFC 9110", "8.5")
def test_the_language_of_the_client(fail: Any) -> None:
    response = fail(Http404(), **{"Accept-Language": "de-AT, en;q=0.1"})
    document = assert_problem(response, 404, "not-found", title="Nicht gefunden")
    assert response["Content-Language"] == "de"
    english = json.loads(fail(Http404(), **{"Accept-Language": "en"}).content)
    assert english["title"] == "Not found"
    assert english["type"] == document["type"]


def test_codes_never_change_with_the_language() -> None:
    for language in ("de", "en"):
        client = APIClient(headers={"Accept-Language": language})
        document = client.post("/orders/", {}, format="json").json()
        codes = [entry["code"] for entry in document["errors"]]
        assert (codes, document["type"]) == (
            ["required", "required"],
            "/problems/validation-error",
        )
        assert (document["title"] == "Validation error") == (language == "en")


def test_a_plain_request_has_no_authenticators() -> None:
    plain = {"request": RequestFactory().get("/")}
    response: Any = exception_handler(exceptions.NotAuthenticated(), plain)
    assert_problem(response, 401, "not-authenticated")
    assert "WWW-Authenticate" not in response


@pytest.mark.parametrize("location", ["query", "path", "header"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_parameters_say_where_they_came_from(
    location: Literal["query", "path", "header"], method: str, fail: Any
) -> None:
    error = ParameterError({"depth": ["Too deep."]}, location=location, code="deep")
    document = assert_problem(fail(error, method), 400, "validation-error")
    assert document["errors"] == [
        {
            "location": location,
            "name": "depth",
            "code": "deep",
            "detail": "Too deep.",
        }
    ]
