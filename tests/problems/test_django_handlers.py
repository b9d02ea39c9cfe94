import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.http import Http404, HttpRequest
from django.test import Client, RequestFactory
from rest_framework.parsers import FormParser, JSONParser

from drf_apikit.logs import ProblemInstanceFilter
from drf_apikit.problems import django_handlers
from drf_apikit.testing import assert_problem
from tests.problems.views import Failing, Orders, Plain

SECRET = "text of another layer"
CSRF_VIEW = "drf_apikit.problems.django_handlers.csrf_failure"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

Log = Callable[[], list[logging.LogRecord]]

pytestmark = pytest.mark.urls("tests.problems.urls")


def raising_middleware(_get_response: Any) -> Callable[[HttpRequest], Any]:
    def middleware(_request: HttpRequest) -> Any:
        raise LookupError(SECRET)

    return middleware


@pytest.fixture(autouse=True)
def _production(settings: Any) -> None:
    settings.DEBUG = False
    settings.CSRF_FAILURE_VIEW = CSRF_VIEW


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def signals() -> Iterator[list[object]]:
    """Collect the requests of `got_request_exception`."""
    heard: list[object] = []

    def note(request: object, **_: object) -> None:
        heard.append(request)

    got_request_exception.connect(note)
    yield heard
    got_request_exception.disconnect(note)


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Give a function that says what the plain view does, or raises."""

    def acting(what: Any) -> None:
        def raise_it(_request: HttpRequest) -> object:
            raise what

        chosen = raise_it if isinstance(what, Exception) else what
        monkeypatch.setattr(Plain, "act", staticmethod(chosen))

    return acting


def instance_in(record: logging.LogRecord) -> str:
    seen: Any = record
    assert ProblemInstanceFilter().filter(record)
    assert isinstance(seen.problem_instance, str)
    return seen.problem_instance


RAISED: dict[str, tuple[Exception, int, str, str]] = {
    "Http404": (Http404(SECRET), 404, "not-found", "django.request"),
    "PermissionDenied": (
        PermissionDenied(SECRET),
        403,
        "permission-denied",
        "django.request",
    ),
    "SuspiciousOperation": (
        SuspiciousOperation(SECRET),
        400,
        "bad-request",
        "django.security.SuspiciousOperation",
    ),
    "BadRequest": (BadRequest(SECRET), 400, "bad-request", "django.request"),
    "RequestDataTooBig": (
        RequestDataTooBig(SECRET),
        413,
        "content-too-large",
        "django.security.RequestDataTooBig",
    ),
    "anything else": (LookupError(SECRET), 500, "server-error", "django.request"),
}


@pytest.mark.parametrize(
    ("error", "status", "slug", "logger"), RAISED.values(), ids=RAISED
)
@pytest.mark.parametrize("url", ["/plain/", "/failing/"])
def test_what_a_view_raises(
    *,
    url: str,
    error: Exception,
    status: int,
    slug: str,
    logger: str,
    client: Client,
    act: Callable[[Any], None],
    signals: list[object],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    act(error)
    monkeypatch.setattr(Failing, "fail", staticmethod(lambda: error))
    response: Any = client.get(url)
    document = assert_problem(response, status, slug)
    assert SECRET not in response.content.decode()
    assert response["Cache-Control"] == "no-store"
    assert len(signals) == (status == 500)
    (record,) = caplog.records
    assert record.name == logger
    assert instance_in(record) == document["instance"]
    errors = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert bool(errors) == (status == 500 or "security" in logger)


def test_an_unmatched_url(client: Client) -> None:
    response: Any = client.get(f"/nowhere/{SECRET}/")
    assert_problem(
        response, 404, "not-found", detail="There is no such resource for this caller."
    )
    assert SECRET not in response.content.decode()


def test_a_host_that_is_not_ours(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    response: Any = client.get("/plain/", headers={"Host": "evil.test"})
    document = assert_problem(response, 400, "bad-request")
    assert document["type"] == "/problems/bad-request"
    assert "evil" not in response.content.decode()
    (record,) = caplog.records
    assert record.name == "django.security.DisallowedHost"
    assert instance_in(record) == document["instance"]


def read_post(request: HttpRequest) -> object:
    return len(request.POST), len(request.FILES)


FORM = "application/x-www-form-urlencoded"
PART = '--b\r\nContent-Disposition: form-data; name="{0}"{1}\r\n\r\nx\r\n'
FILES = "".join(PART.format(n, f'; filename="{n}"') for n in range(3)) + "--b--\r\n"
UPLOADS: dict[str, tuple[dict[str, int], str, str, int, str]] = {
    "form too big": (
        {"DATA_UPLOAD_MAX_MEMORY_SIZE": 9},
        "a=0123456789",
        FORM,
        413,
        "content-too-large",
    ),
    "too many fields": (
        {"DATA_UPLOAD_MAX_NUMBER_FIELDS": 2},
        "a=1&b=2&c=3",
        FORM,
        413,
        "content-too-large",
    ),
    "too many files": (
        {"DATA_UPLOAD_MAX_NUMBER_FILES": 2},
        FILES,
        "multipart/form-data; boundary=b",
        413,
        "content-too-large",
    ),
    "no boundary": ({}, "a", "multipart/form-data", 400, "bad-request"),
    "boundary of another alphabet": (
        {},
        "a",
        "multipart/form-data; boundary=\xe4",
        400,
        "bad-request",
    ),
}


@pytest.mark.parametrize(
    ("limits", "body", "content_type", "status", "slug"), UPLOADS.values(), ids=UPLOADS
)
def test_bodies_that_django_refuses(
    *,
    limits: dict[str, int],
    body: str,
    content_type: str,
    status: int,
    slug: str,
    client: Client,
    act: Callable[[Any], None],
    settings: Any,
) -> None:
    for name, value in limits.items():
        setattr(settings, name, value)
    act(read_post)
    response: Any = client.generic("POST", "/plain/", body, content_type)
    assert_problem(response, status, slug)


@pytest.mark.parametrize("content_type", [FORM, "application/json"])
def test_a_body_over_the_limit_within_drf(
    content_type: str,
    client: Client,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 9
    monkeypatch.setattr(Orders, "parser_classes", [JSONParser, FormParser])
    response: Any = client.post("/orders/", "0123456789", content_type=content_type)
    assert_problem(response, 413, "content-too-large")


def test_csrf(caplog: pytest.LogCaptureFixture) -> None:
    client = Client(enforce_csrf_checks=True)
    response: Any = client.post("/plain/")
    document = assert_problem(response, 403, "csrf-failed")
    (record,) = caplog.records
    assert record.name == "django.security.csrf"
    assert instance_in(record) == document["instance"]
    page: Any = client.post("/plain/", headers={"Accept": BROWSER})
    assert (page.status_code, page["Content-Type"]) == (403, "text/html; charset=utf-8")


@pytest.mark.parametrize("url", ["/plain/", "/rendered/", "/failing/"])
def test_what_fails_outside_of_views(
    url: str,
    client: Client,
    signals: list[object],
    caplog: pytest.LogCaptureFixture,
    settings: Any,
) -> None:
    if url != "/rendered/":
        settings.MIDDLEWARE = [
            "tests.problems.test_django_handlers.raising_middleware",
            *settings.MIDDLEWARE,
        ]
    response: Any = client.get(url)
    document = assert_problem(response, 500, "server-error")
    assert "secret" not in response.content.decode()
    assert SECRET not in response.content.decode()
    assert len(signals) == 1
    (record,) = (r for r in caplog.records if r.levelno >= logging.ERROR)
    assert record.name == "django.request"
    assert instance_in(record) == document["instance"]
    assert record.exc_info


@pytest.mark.parametrize(
    ("error", "enabled", "status", "slug"),
    [
        (OperationalError(SECRET), False, 500, "server-error"),
        (OperationalError(SECRET), True, 503, "service-unavailable"),
        (InterfaceError(SECRET), True, 503, "service-unavailable"),
        (ProgrammingError(SECRET), True, 500, "server-error"),
        (LookupError(SECRET), True, 500, "server-error"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("url", ["/plain/", "/failing/"])
def test_a_database_that_is_down(
    *,
    url: str,
    error: Exception,
    enabled: bool,
    status: int,
    slug: str,
    client: Client,
    act: Callable[[Any], None],
    signals: list[object],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    settings: Any,
) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"DATABASE_ERRORS_AS_503": enabled}}
    act(error)
    monkeypatch.setattr(Failing, "fail", staticmethod(lambda: error))
    response: Any = client.get(url)
    assert_problem(response, status, slug)
    assert SECRET not in response.content.decode()
    assert response.get("Retry-After") == ("5" if status == 503 else None)
    assert len(signals) == 1
    assert [r.levelname for r in caplog.records] == ["ERROR"]


def test_outside_of_an_exception_it_is_a_500(settings: Any) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"DATABASE_ERRORS_AS_503": True}}
    request = RequestFactory().get("/")
    assert_problem(django_handlers.handler500(request), 500, "server-error")


PROBLEM, PAGE = "application/problem+json", "text/html"
#: What is asked for, and what is given.
ACCEPT: dict[str, tuple[str | None, str]] = {
    "nothing": (None, PROBLEM),
    "empty": ("", PROBLEM),
    "anything": ("*/*", PROBLEM),
    "browser": (BROWSER, PAGE),
    "html": ("text/html", PAGE),
    "html in capitals": ("TEXT/HTML", PAGE),
    "any text": ("text/*", PAGE),
    "json": ("application/json", PROBLEM),
    "problem": ("application/problem+json", PROBLEM),
    "both, html first": ("text/html, application/json", PAGE),
    "both, json first": ("application/json, text/html", PROBLEM),
    "json preferred": ("text/html;q=0.8, application/json", PROBLEM),
    "html preferred": ("application/json;q=0.8, text/html", PAGE),
    "html refused": ("text/html;q=0, */*", PROBLEM),
    "neither": ("image/png", PROBLEM),
    "all refused": ("*/*;q=0", PROBLEM),
    "no media type": ("html", PROBLEM),
    "commas": (",;,;q=,", PROBLEM),
    "bad weight": ("text/html;q=many", PAGE),
    "weight that is no number": ("text/html;q=nan, application/json;q=inf", PAGE),
    "control characters": ("\x00\x01text/html", PROBLEM),
    "not ASCII": ("tëxt/html", PROBLEM),
    "too long": ("text/html;a=" + "a" * 20_000, PROBLEM),
    "odd charset": ("text/html;a*=odd'y'z", PROBLEM),
    "many": (", ".join(["a/b"] * 5_000), PROBLEM),
}


@pytest.mark.compliance("RFC 9110", "12.5.1")
@pytest.mark.parametrize(("accept", "given"), ACCEPT.values(), ids=ACCEPT)
@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_accept_decides(
    status: int,
    accept: str | None,
    given: str,
    client: Client,
    act: Callable[[Any], None],
) -> None:
    errors: dict[int, Exception] = {
        400: BadRequest(SECRET),
        403: PermissionDenied(SECRET),
        404: Http404(SECRET),
        500: LookupError(SECRET),
    }
    act(errors[status])
    headers = {} if accept is None else {"Accept": accept}
    response: Any = client.get("/plain/", headers=headers)
    assert response.status_code == status
    assert response["Content-Type"].partition(";")[0] == given
    assert "Accept" in response["Vary"].split(", ")
    if given == PROBLEM:
        assert json.loads(response.content)["status"] == status
        assert SECRET not in response.content.decode()


@pytest.mark.parametrize(
    ("paths", "url", "accept", "given"),
    [
        (None, "/pages/plain/", "*/*", PROBLEM),
        (None, "/pages/plain/", BROWSER, PAGE),
        (["/plain/"], "/plain/", "*/*", PROBLEM),
        (["/plain/"], "/plain/", BROWSER, PAGE),
        (["/plain/"], "/plain/", "text/html;a*=odd'y'z", PROBLEM),
        (["/plain/"], "/pages/plain/", "*/*", PAGE),
        (["/plain/"], "/pages/plain/", "application/json", PAGE),
        (["/plain/"], "/pages/nowhere/", "application/json", PAGE),
        (["/plain/", "/pages/"], "/pages/plain/", "*/*", PROBLEM),
        (["/plain/"], "/plainer/", "*/*", PAGE),
        (["/plain/"], "//plain/", "*/*", PAGE),
        (["/"], "/pages/plain/", "*/*", PROBLEM),
    ],
)
def test_paths_decide_before_accept(
    paths: list[str] | None,
    url: str,
    accept: str,
    given: str,
    client: Client,
    act: Callable[[Any], None],
    settings: Any,
) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"PATHS": paths}}
    act(LookupError(SECRET))
    response: Any = client.get(url, headers={"Accept": accept})
    assert response.status_code in {404, 500}
    assert response["Content-Type"].partition(";")[0] == given
    assert "Accept" in response["Vary"].split(", ")


def test_a_mount_point_is_no_part_of_the_paths(
    act: Callable[[Any], None], settings: Any
) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"PATHS": ["/plain/"]}}
    act(Http404())
    client = Client(SCRIPT_NAME="/mounted")
    assert_problem(client.get("/plain/"), 404, "not-found")


def test_all_of_them_come_with_a_star() -> None:
    assert set(django_handlers.__all__) == {
        "csrf_failure",
        "handler400",
        "handler403",
        "handler404",
        "handler500",
    }


def test_titles_follow_the_language(client: Client) -> None:
    response: Any = client.get("/nowhere/", headers={"Accept-Language": "de"})
    assert_problem(response, 404, "not-found", title="Nicht gefunden")
    assert response["Content-Language"] == "de"


@pytest.mark.parametrize("url", ["/%00/", "/%ED%A0%80/", "/?a=%00%FF", "/%FF%FE/"])
def test_odd_addresses_are_not_found(url: str, client: Client) -> None:
    assert_problem(client.get(url), 404, "not-found")
