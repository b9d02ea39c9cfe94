"""What conditional requests are answered with is counted once for each request."""

from typing import Any, Final

import pytest
from django.db import OperationalError
from pytest_django import Settings
from rest_framework.response import Response

from drf_apikit.exceptions import Problem
from drf_apikit.problem_types import RESOURCE_IN_USE
from tests.app.models import Article
from tests.conditional.calls import read, send
from tests.conditional.views import Appending
from tests.counting import Counted, of_block, recorded

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.conditional.urls")]

FAILED: Final[Counted] = [("conditional.precondition_failed", {})]
REQUIRED: Final[Counted] = [("conditional.precondition_required", {})]
CONFLICT: Final[Counted] = [("conditional.edit_conflict", {})]
STALE: Final[Counted] = [("conditional.validator_found_stale", {})]


@pytest.fixture
def counted(settings: Settings) -> Counted:
    return recorded(settings)


def told(counted: Counted) -> Counted:
    return of_block("conditional", counted)


def in_use() -> Response:
    raise Problem(problem_type=RESOURCE_IN_USE)


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("kind", ["object", "list"])
def test_a_304_is_counted_with_its_kind(
    counted: Counted, url: str, method: str, kind: str
) -> None:
    where = url if kind == "object" else "/articles/"
    tag = read(where)
    assert not told(counted)
    assert send(method, where, If_None_Match='"other"').status_code == 200
    assert not told(counted)
    assert send(method, where, If_None_Match=tag).status_code == 304
    assert told(counted) == [("conditional.not_modified", {"kind": kind})]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "events"),
    [
        ("get", "/articles/{pk}/", {"If_Match": '"other"'}, 412, FAILED),
        ("get", "/articles/", {"If_Match": '"other"'}, 412, FAILED),
        ("patch", "/articles/{pk}/", {"If_Match": '"other"'}, 412, FAILED),
        ("delete", "/articles/{pk}/", {"If_Match": '"other"'}, 412, FAILED),
        ("post", "/articles/", {"If_Match": '"other"'}, 412, FAILED),
        ("patch", "/strict/{pk}/", {}, 428, REQUIRED),
        ("patch", "/articles/{pk}/", {"If_Match": "*"}, 200, []),
        ("patch", "/plain/{pk}/", {"If_Match": '"other"'}, 200, []),
        ("get", "/articles/999999/", {"If_Match": '"other"'}, 404, []),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_refusal_is_counted(
    counted: Counted,
    article: Article,
    method: str,
    path: str,
    headers: dict[str, str],
    status: int,
    events: Counted,
) -> None:
    where = path.format(pk=article.pk)
    body = {} if method == "get" else {"title": "new"}
    assert send(method, where, body, **headers).status_code == status
    assert told(counted) == events


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("tag", "status", "events"), [("*", 412, FAILED), (None, 409, CONFLICT)]
)
def test_a_write_that_is_overtaken_twice_is_counted_once(
    counted: Counted,
    article: Article,
    appending: type[Appending],
    tag: str | None,
    status: int,
    events: Counted,
) -> None:
    attempts: list[int] = []

    def deadlock() -> Response:
        attempts.append(len(attempts))
        raise OperationalError(1213, "Deadlock found when trying to get lock")

    appending.act = staticmethod(deadlock)
    headers = {} if tag is None else {"If_Match": tag}
    response = send("patch", f"/appending/{article.pk}/", {"mark": "a"}, **headers)
    assert (response.status_code, attempts) == (status, [0, 1])
    assert told(counted) == events


@pytest.mark.parametrize("method", ["get", "patch"])
def test_another_problem_of_a_view_is_not_ours_to_count(
    counted: Counted, article: Article, appending: type[Appending], method: str
) -> None:
    appending.act = staticmethod(in_use)
    body = {} if method == "get" else {"mark": "a"}
    assert send(method, f"/appending/{article.pk}/", body).status_code == 409
    assert not told(counted)


def test_a_validator_that_is_found_stale_is_counted(
    settings: Settings, article: Article, url: str
) -> None:
    sampled: dict[str, Any] = {"VERIFY_SAMPLE_RATE": 1}
    counted = recorded(settings, CONDITIONAL=sampled)
    tag = read(url)
    # As it should not be: the version stays.
    Article.objects.filter(pk=article.pk).update(title="other")
    assert send("get", url, If_None_Match=tag).status_code == 200
    assert told(counted) == STALE
