import logging
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import translation
from rest_framework.response import Response

from drf_apikit.exceptions import Problem
from drf_apikit.login.errors import LoginError, Reason, explanation
from drf_apikit.login.failures import (
    failed_response,
    keep_private,
    prefers_json,
    problem_response,
    report,
)
from drf_apikit.problem_types import LOGIN_UNAVAILABLE

SECRET = "<script>what the provider has sent</script>"


def request_(accept: str | None = None) -> Any:
    headers = {} if accept is None else {"accept": accept}
    request: Any = RequestFactory().get("/callback/", headers=headers)
    request.user = AnonymousUser()
    return request


@pytest.fixture
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.login.website"


@pytest.mark.usefixtures("_site")
@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("status", [400, 403, 503])
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_nothing_that_was_sent_is_shown(
    reason: Reason, status: int, accept: str
) -> None:
    error = LoginError(reason, status, SECRET)
    answer: Any = failed_response(request_(accept), error, "/a/?b=c")
    assert answer.status_code == status
    assert reason.value in answer.content.decode()
    assert b"script" not in answer.content
    assert ("Retry-After" in answer.headers) is (status == 503)
    assert "no-store" in answer["Cache-Control"]
    assert set(answer["Vary"].split(", ")) >= {"Accept", "Cookie"}


@pytest.mark.usefixtures("_site")
def test_the_page_is_one_that_everybody_can_use() -> None:
    error = LoginError(Reason.STATE_EXPIRED, 400)
    answer: Any = failed_response(request_(), error, "/a/?b=c&d=e")
    page = answer.content.decode()
    assert '<html lang="en-gb">' in page or '<html lang="en' in page
    assert "<title>Login failed</title>" in page
    assert page.count("<h1>") == page.count("<main>") == 1
    assert 'href="/oidc/authenticate/?next=%2Fa%2F%3Fb%3Dc%26d%3De"' in page
    assert "The login took too long" in page
    # Nothing to load, nothing to run.
    assert not re.search(r"<script|<link|src=|@import|url\(", page)


def test_every_reason_has_words_of_its_own_kind() -> None:
    assert all(len(str(explanation(reason))) > 40 for reason in Reason)
    kinds = {str(explanation(reason)) for reason in Reason}
    assert len(kinds) >= 8


@pytest.mark.usefixtures("_site")
def test_the_words_are_translated_when_they_are_shown() -> None:
    with translation.override("de"):
        answer: Any = failed_response(request_(), LoginError(Reason.USER_UNKNOWN, 403))
    assert '<html lang="de">' in answer.content.decode()


def test_a_project_may_have_a_page_of_its_own(settings: Any, tmp_path: Path) -> None:
    page = tmp_path / "drf_apikit" / "login" / "failed.html"
    page.parent.mkdir(parents=True)
    page.write_text("{{ status }} {{ reason }} {{ retry_url }} {{ home_url }}")
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [str(tmp_path)]}]
    # Without the URLs of the login, where people log in anyway.
    settings.ROOT_URLCONF = "drf_apikit.problems.urls"
    settings.LOGIN_URL, settings.LOGIN_REDIRECT_URL = "/enter/", "/home/"
    answer: Any = failed_response(request_(), LoginError(Reason.STATE_UNKNOWN, 400))
    assert answer.content == b"400 state_unknown /enter/ /home/"


DJANGO = "django.template.backends.django.DjangoTemplates"
#: As Jinja2, an engine that cannot read pages of Django.
OTHER = "django.template.backends.dummy.TemplateStrings"


@pytest.mark.usefixtures("_site")
@pytest.mark.parametrize(
    "engines",
    [
        pytest.param([], id="none"),
        pytest.param([{"BACKEND": OTHER, "APP_DIRS": True}], id="not Django's"),
        pytest.param([{"BACKEND": DJANGO}], id="not of applications"),
    ],
)
@pytest.mark.parametrize("is_known", [False, True])
def test_a_project_may_have_no_templates_of_its_own(
    settings: Any, engines: Any, *, is_known: bool
) -> None:
    settings.TEMPLATES = engines
    request = request_()
    if is_known:
        request.user = User(username="alice")
    answer: Any = failed_response(request, LoginError(Reason.STATE_EXPIRED, 400))
    assert answer.status_code == 400
    page = answer.content.decode()
    assert "The login took too long" in page
    assert "<code>state_expired</code>" in page
    assert ("You are still logged in from before." in page) is is_known
    assert ("You are not logged in" in page) is not is_known


def test_a_page_may_be_of_another_engine(settings: Any, tmp_path: Path) -> None:
    page = tmp_path / "drf_apikit" / "login" / "failed.html"
    page.parent.mkdir(parents=True)
    page.write_text("$reason, $user")
    settings.TEMPLATES = [{"BACKEND": OTHER, "DIRS": [str(tmp_path)]}]
    settings.ROOT_URLCONF = "tests.login.website"
    answer: Any = failed_response(request_(), LoginError(Reason.STATE_UNKNOWN, 400))
    assert answer.content == b"state_unknown, AnonymousUser"


@pytest.mark.parametrize(
    ("accept", "json"),
    [
        (None, False),
        ("*/*", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("application/json", True),
        ("application/problem+json", True),
        ("application/json, text/html;q=0.5", True),
        ("text/html, application/json;q=0.5", False),
        ("image/png", False),
        ("application/json;a*=no-charset''b", False),
    ],
)
def test_who_wants_json(accept: str | None, json: bool) -> None:
    assert prefers_json(request_(accept)) is json


def problem() -> Problem:
    headers = {"Retry-After": "7"}
    return Problem(problem_type=LOGIN_UNAVAILABLE, headers=headers, reason="x")


def by_drf(exc: Any, context: Any) -> Response:
    del context
    return Response([str(exc.detail)], status=418)


def needs_a_view(exc: Any, context: Any) -> Any:
    return HttpResponse(context["view"].name, status=exc.status_code)


def says_nothing(exc: Any, context: Any) -> None:
    del exc, context


@pytest.mark.parametrize("handler", [by_drf, needs_a_view, says_nothing])
def test_whatever_handler_a_project_has(settings: Any, handler: Any) -> None:
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": f"{__name__}.{handler.__name__}"}
    answer: Any = problem_response(request_(), problem())
    assert answer.status_code == 503
    assert answer["Retry-After"] == "7"
    assert b'"reason": "x"' in answer.content


def test_the_detail_is_for_the_log(settings: Any, caplog: Any) -> None:
    settings.DRF_APIKIT = {}
    with caplog.at_level(logging.INFO, "drf_apikit.login"):
        report(request_(), LoginError(Reason.CODE_REFUSED, 400, "why"))
        report(request_(), LoginError(Reason.PROVIDER_UNAVAILABLE, 503, "down"))
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("INFO", "A login failed: code_refused (why)"),
        ("WARNING", "A login failed: provider_unavailable (down)"),
    ]


def test_nothing_of_a_url_with_a_code_reaches_other_sites() -> None:
    answer = keep_private(HttpResponse())
    assert answer["Referrer-Policy"] == "no-referrer"
