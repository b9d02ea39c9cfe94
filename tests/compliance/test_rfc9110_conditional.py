"""RFC 9110 on conditional requests, and RFC 6585 on 428: each case over HTTP.

Every case meets one of the validators on each database, another one on SQLite than
on the others; `FULL_MATRIX=1` runs all of them everywhere.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker, Settings

from drf_apikit.testing import assert_problem
from tests.compliance.conditional_cases import (
    DETAIL_CASES,
    LIST_CASES,
    MALFORMED,
    Case,
)
from tests.compliance.conditional_generations import settled
from tests.compliance.conditional_rows import MISSING, Facts, Table, ask, committed
from tests.compliance.conditional_views import DETAILS, LISTS, ROWS
from tests.databases import VENDORS, Databases

FULL = os.environ.get("FULL_MATRIX") == "1"
#: Without it, one in so many cases runs on each server; no multiple of a number of
#: validators, so that each of these has its turn.
SAMPLE = 5
MIDDLEWARE = "django.middleware.http.ConditionalGetMiddleware"
SLUGS = {
    400: "validation-error",
    401: "not-authenticated",
    403: "permission-denied",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    412: "precondition-failed",
    415: "unsupported-media-type",
    428: "precondition-required",
}
WRITES = {"PUT", "PATCH", "DELETE", "POST"}

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.compliance.conditional_urls"),
]


def cells(first: int) -> Iterator[Any]:
    """Give each case with one of the validators in turn, or with all of them."""
    for cases, names in ((DETAIL_CASES, list(DETAILS)), (LIST_CASES, list(LISTS))):
        for index, case in enumerate(cases, first):
            one = names[index % len(names)]
            yield from (cell(case, name) for name in (names if FULL else [one]))


def in_turn(every: Iterable[Any], turn: int) -> Iterator[Any]:
    """Give a sample of the cases to each of the servers, or all to both."""
    for number, each in enumerate(every):
        if FULL or number % SAMPLE == turn:
            yield each


def cell(case: Case, name: str) -> Any:
    marks = pytest.mark.compliance(case.spec, case.section)
    return pytest.param(case, name, marks=marks, id=f"{name} {case.id}")


on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def table(
    database: str, django_db_setup: Databases, django_db_blocker: DjangoDbBlocker
) -> Iterator[Table]:
    assert database
    with django_db_setup.kept(django_db_blocker, committed()) as table:
        yield table


@pytest.fixture
def settled_generations(
    redis_cache: object, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    assert redis_cache
    with settled(settings, monkeypatch):
        yield


@pytest.fixture
def strategy(request: pytest.FixtureRequest) -> str:
    """Give the name of the validator; for generations, with all that they need."""
    name: str = request.param
    if name.startswith("generation"):
        request.getfixturevalue("settled_generations")
    return name


@on_sqlite
@pytest.mark.parametrize(("case", "strategy"), list(cells(0)), indirect=["strategy"])
def test_a_case(case: Case, strategy: str, table: Table, settings: Settings) -> None:
    answers_as_asked(case, strategy, table, settings)


@pytest.mark.parametrize("database", VENDORS[1:2], indirect=True)
@pytest.mark.parametrize(
    ("case", "strategy"), list(in_turn(cells(1), 0)), indirect=["strategy"]
)
def test_a_case_on_postgresql(
    case: Case, strategy: str, table: Table, settings: Settings
) -> None:
    answers_as_asked(case, strategy, table, settings)


@pytest.mark.parametrize("database", VENDORS[2:], indirect=True)
@pytest.mark.parametrize(
    ("case", "strategy"), list(in_turn(cells(1), 1)), indirect=["strategy"]
)
def test_a_case_on_mariadb(
    case: Case, strategy: str, table: Table, settings: Settings
) -> None:
    answers_as_asked(case, strategy, table, settings)


def answers_as_asked(
    case: Case, strategy: str, table: Table, settings: Settings
) -> None:
    if case.settings:
        kept = settings.DRF_APIKIT.get("CONDITIONAL", {})
        settings.DRF_APIKIT = {"CONDITIONAL": {**kept, **case.settings}}
    facts = Facts(table, strategy, case.flavour, case.target)
    response = send(case, facts)
    assert response.status_code == case.status, response.content
    assert_headers(case, response)
    assert_outcome(case, ROWS[strategy], table)
    if case.status == 304:
        assert_unmodified(case, response, facts)
    elif case.status in SLUGS and case.method != "HEAD":
        assert_problem(response, case.status, slug_of(case))
    if case.method == "PATCH" and case.status == 200:
        assert_new_tag(strategy, response, facts)


def in_middleware() -> Iterator[Any]:
    """Leave out what Django reads otherwise than RFC 9110: see the reasons."""
    for case in DETAIL_CASES:
        if case.method == "GET" and case.flavour == "plain" and not misread(case):
            yield cell(case, "versioned")


def misread(case: Case) -> bool:
    """Tell what Django's middleware decides wrongly after us.

    If-Match means any current representation to us. Of a malformed list Django
    takes the members that are tags; if there is none, dates count beside it.
    """
    tags = case.headers.get("If-Match", "")
    parts = "{text}" in tags or "{state}" in tags
    listed = case.headers.get("If-None-Match", "")
    several = listed in MALFORMED.values() and ("," in listed or "\n" in listed)
    dated = {"If-None-Match", "If-Modified-Since"} <= case.headers.keys()
    return parts or (case.status == 200 and (several or dated))


@on_sqlite
@pytest.mark.parametrize(
    ("case", "strategy"), list(in_middleware()), indirect=["strategy"]
)
def test_a_read_beside_the_middleware_of_django(
    case: Case, strategy: str, table: Table, settings: Settings
) -> None:
    settings.MIDDLEWARE = [MIDDLEWARE, *settings.MIDDLEWARE]
    facts = Facts(table, strategy, case.flavour, case.target)
    response = send(case, facts)
    assert response.status_code == case.status, response.content
    assert_headers(case, response)
    if case.status == 304:
        assert_unmodified(case, response, facts)


def test_there_are_cases_enough() -> None:
    cases = DETAIL_CASES + LIST_CASES
    assert len(cases) >= 150
    assert len({case.id for case in cases}) == len(cases)


def send(case: Case, facts: Facts) -> Any:
    headers = {
        name: ",".join(value.split("\n")).format_map(facts)
        for name, value in case.headers.items()
    }
    method, url = case.method, facts.url
    if method == "POST" and case.target != "list":
        url += "publish/"
    return ask(method.split()[0], url, headers, case.body, case.who)


def slug_of(case: Case) -> str:
    unreadable = case.status == 400 and isinstance(case.body, bytes)
    return "malformed-request" if unreadable else SLUGS[case.status]


def assert_headers(case: Case, response: Any) -> None:
    """Check what holds of every answer with such a status, and what the case asks."""
    for name in case.has:
        assert name in response, name
    for name in case.lacks:
        assert name not in response, name
    status = case.status
    if status in {401, 403, 404, 405, 406, 415, 400}:
        assert "ETag" not in response
        assert "Last-Modified" not in response
    elif status in {412, 428}:
        assert "no-store" in response["Cache-Control"]
        judged = case.target != "missing" and "ETag" not in case.lacks
        assert ("ETag" in response) == judged
    elif status in {200, 304} and case.method in {"GET", "HEAD"}:
        assert response["ETag"].startswith('"')
        assert {"Accept", "Authorization"} <= set(response["Vary"].split(", "))
        assert response["Cache-Control"] == "private, no-cache"
    if case.method == "HEAD":
        assert response.content == b""


def assert_outcome(case: Case, model: Any, table: Table) -> None:
    """A write is done if it is answered with success, and else not at all."""
    done = case.method in WRITES and case.status < 300
    key = MISSING if case.target == "missing" else table.keys[model, "one"]
    if case.target == "fresh":
        key = table.keys[model, "fresh"]
    titles = list(model.objects.filter(pk=key).values_list("title", flat=True))
    if done:
        assert titles == ([] if case.method == "DELETE" else ["new"])
    else:
        assert titles == ([] if case.target == "missing" else ["old"])
    others = model.objects.exclude(pk=key).values_list("title", flat=True)
    assert set(others) == {"old"}


def assert_unmodified(case: Case, response: Any, facts: Facts) -> None:
    """RFC 9110 section 15.4.5: what the 200 would have said."""
    accept = {"Accept": case.headers.get("Accept", "application/json")}
    full = ask(case.method, facts.url, accept)
    assert full.status_code == 200
    assert response.content == b""
    assert "Content-Type" not in response
    kept = ("ETag", "Cache-Control", "Content-Location", "Expires", "Vary")
    for name in kept:
        assert response[name] == full[name], name
    # A generation does not say when; nor need a 304 that has a tag.
    assert response.get("Last-Modified") in {None, full.get("Last-Modified")}


def assert_new_tag(strategy: str, response: Any, facts: Facts) -> None:
    fresh = ask("GET", facts.url, {})
    if strategy != "generation":
        # A generation is not known before the commit.
        assert response["ETag"] == fresh["ETag"]
        assert response.get("Last-Modified") == fresh.get("Last-Modified")
    current = {"If-Match": response["ETag"]}
    assert ask("PATCH", facts.url, current, {"title": "newer"}).status_code == 200
