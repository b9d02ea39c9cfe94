"""Who may not have an object learns nothing from any precondition.

The whole answer is compared: status, all headers, body; but for the number that a
problem document gives to each occurrence.
"""

import json
import os
from collections.abc import Iterator
from typing import Any, Final

import pytest
from pytest_django import DjangoDbBlocker, Settings

from drf_apikit.conditional import ConditionalGetMixin
from drf_apikit.testing import assert_problem
from tests.compliance.conditional_rows import Facts, Table, ask, committed
from tests.compliance.conditional_views import DETAILS, ROWS
from tests.databases import Databases

FULL: Final = os.environ.get("FULL_MATRIX") == "1"
#: Without it, one in so many of the conditions is sent in each cell.
SHARE: Final = 6
CALLERS: Final = {"anonymous": 401, "wrong": 404, "denied": 403}
FIELDS: Final = (
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
)
TAGS: Final = ("{tag}", "W/{tag}", '"x", {tag}', '"{state}"', "{stale}", "*", "x", "")
DATES: Final = ("{modified}", "{older}", "{newer}", "no date")
NEW: Final = {"title": "new"}
METHODS: Final = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "POST")

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.compliance.conditional_urls"),
]
by_every_validator = pytest.mark.parametrize("strategy", DETAILS, indirect=True)


@pytest.fixture(scope="module")
def table(
    django_db_setup: Databases, django_db_blocker: DjangoDbBlocker
) -> Iterator[Table]:
    with django_db_setup.kept(django_db_blocker, committed()) as table:
        yield table


@pytest.fixture
def strategy(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "generation":
        request.getfixturevalue("settled_generations")
    return name


def conditions(facts: Facts) -> Iterator[dict[str, str]]:
    """Give each field with each value, and some together."""
    for field, values in zip(FIELDS, (TAGS, TAGS, DATES, DATES), strict=True):
        for value in values:
            yield {field: value.format_map(facts)}
    tag, newer = facts["tag"], facts["newer"]
    yield {"If-Match": tag, "If-None-Match": tag}
    yield {"If-Match": facts["stale"], "If-Unmodified-Since": newer}
    yield dict(zip(FIELDS, (tag, tag, newer, newer), strict=True))


def told(response: Any) -> tuple[int, dict[str, str], Any]:
    """Give all that the client gets."""
    body = response.content
    if "json" in response.get("Content-Type", "") and body:
        body = json.loads(body)
        body.pop("instance", None)
    return response.status_code, dict(response.headers), body


def some(facts: Facts, turn: int) -> list[dict[str, str]]:
    """Give the current tag, and a share of all conditions in turn."""
    every = list(conditions(facts))
    stolen = [{name: facts["tag"]} for name in FIELDS[:2]]
    return every if FULL else stolen + every[turn % SHARE :: SHARE]


@pytest.mark.compliance("RFC 9110", "13.2.1")
@by_every_validator
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize("flavour", ["plain", "strict"])
def test_no_condition_changes_a_refusal(
    flavour: str, who: str, method: str, strategy: str, table: Table
) -> None:
    facts = Facts(table, strategy, flavour, "one")
    url = f"{facts.url}publish/" if method == "POST" else facts.url
    plain = told(ask(method, url, {}, NEW, who))
    assert plain[0] == CALLERS[who]
    assert not {"ETag", "Last-Modified", "Expires"} & plain[1].keys()
    turn = METHODS.index(method) + list(DETAILS).index(strategy)
    for sent in some(facts, turn + list(CALLERS).index(who)):
        assert told(ask(method, url, sent, NEW, who)) == plain, sent
    assert titles(strategy) == {"old"}


@pytest.mark.compliance("RFC 9110", "13.2.1")
@by_every_validator
@pytest.mark.parametrize("body", [NEW, {"title": "x" * 101}, b"{"])
@pytest.mark.parametrize("required", [False, True])
def test_a_hidden_name_is_not_told_where_put_creates(
    required: bool,
    body: Any,
    strategy: str,
    table: Table,
    settings: Settings,
) -> None:
    facts = Facts(table, strategy, "puts", "one")
    sent = some(facts, list(DETAILS).index(strategy))
    kept = settings.DRF_APIKIT.get("CONDITIONAL", {})
    declared = {**kept, "REQUIRE_PRECONDITIONS": required}
    settings.DRF_APIKIT = {"CONDITIONAL": declared}
    plain = told(ask("PUT", facts.url, {}, body, "wrong"))
    assert plain[0] == 404
    for condition in sent:
        answer = told(ask("PUT", facts.url, condition, body, "wrong"))
        assert answer == plain, condition
    assert titles(strategy) == {"old"}


@pytest.mark.parametrize("strategy", ["generation"], indirect=True)
@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize(("per_user", "queries"), [(True, 0), (False, 1)])
def test_the_tag_of_a_generation_shows_nothing_to_others(
    per_user: bool,
    queries: int,
    who: str,
    strategy: str,
    table: Table,
    django_assert_num_queries: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ConditionalGetMixin, "per_user", per_user)
    facts = Facts(table, strategy, "plain", "one")
    stolen = {"If-None-Match": facts["tag"]}
    with django_assert_num_queries(queries):
        assert ask("GET", facts.url, stolen).status_code == 304
    assert ask("GET", facts.url, stolen, who=who).status_code == CALLERS[who]


def titles(strategy: str) -> set[str]:
    return set(ROWS[strategy].objects.values_list("title", flat=True))


@pytest.mark.compliance("RFC 9110", "13.2.1")
@pytest.mark.parametrize("required", [False, True])
def test_a_name_that_cannot_be_one(required: bool, settings: Settings) -> None:
    settings.DRF_APIKIT = {"CONDITIONAL": {"REQUIRE_PRECONDITIONS": required}}
    for sent in ({}, {"If-Match": "*"}, {"If-Match": "x"}, {"If-None-Match": "*"}):
        answer = ask("PUT", "/version/puts/none/", sent, NEW)
        assert_problem(answer, 404, "not-found")
        assert "ETag" not in answer
