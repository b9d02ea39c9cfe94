from typing import Any

import pytest
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    PermissionDenied,
)
from rest_framework.views import exception_handler

from drf_apikit import exceptions, problem_types
from drf_apikit.exceptions import Problem
from drf_apikit.problem_types import ProblemType

POOR = ProblemType("too-poor", "Too poor", 402, "Earn more.", {"balance": {}})
BARE = ProblemType("bare", "Bare", 409)
#: All but those that are given a type, or share DRF's own.
OWN = [
    getattr(exceptions, name)
    for name in exceptions.__all__
    if name not in {"Problem", "ParameterError"}
]


@pytest.mark.parametrize("kind", OWN)
def test_each_exception_takes_everything_from_its_type(kind: type[Problem]) -> None:
    error = kind()
    assert isinstance(error, APIException)
    assert error.problem_type is kind.problem_type
    assert error.status_code == kind.problem_type.status
    assert error.detail == str(kind.problem_type.documentation)
    assert error.get_codes() == kind.problem_type.code
    assert str(error.status_code) in (kind.__doc__ or "")


def test_each_exception_has_a_type_of_its_own() -> None:
    assert len({kind.problem_type.slug for kind in OWN}) == len(OWN)


def test_drf_knows_what_they_are() -> None:
    assert issubclass(exceptions.InvalidToken, AuthenticationFailed)
    assert issubclass(exceptions.InsufficientScope, PermissionDenied)


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        ({"problem_type": POOR}, "Earn more."),
        ({"problem_type": BARE}, "Bare"),
        ({"problem_type": POOR, "detail": "You are."}, "You are."),
        ({"problem_type": POOR, "detail": gettext_lazy("Lazy")}, "Lazy"),
        ({"problem_type": POOR, "detail": ""}, "Earn more."),
    ],
)
def test_detail(arguments: dict[str, Any], detail: str) -> None:
    assert str(Problem(**arguments).detail) == detail


def test_a_problem_carries_members_and_headers() -> None:
    headers = {"X-Own": "1"}
    error = Problem(problem_type=POOR, headers=headers, balance=None)
    headers["X-Own"] = "2"
    assert (error.headers, error.extensions) == ({"X-Own": "1"}, {"balance": None})
    assert (error.status_code, error.get_codes()) == (402, "too_poor")
    assert Problem(problem_type=POOR).headers == {}


def test_the_argument_wins_over_the_class() -> None:
    assert exceptions.EditConflict(problem_type=POOR).problem_type is POOR
    assert exceptions.EditConflict().problem_type is problem_types.EDIT_CONFLICT


def test_a_problem_needs_a_type() -> None:
    with pytest.raises(TypeError, match="needs a problem_type"):
        Problem("What?")


@pytest.mark.compliance("RFC 9457", "3.2")
@pytest.mark.parametrize("name", ["other", "status"])
def test_a_member_must_be_declared(name: str) -> None:
    members: dict[str, Any] = {name: 1}
    with pytest.raises(TypeError, match=f"too-poor declares no member '{name}'"):
        Problem(problem_type=POOR, **members)


@pytest.mark.parametrize("kind", OWN)
def test_drf_s_own_handler_gives_a_sensible_answer(kind: type[Problem]) -> None:
    response = exception_handler(kind(), {})
    assert response is not None
    assert response.status_code == kind.problem_type.status
    assert response.data == {"detail": str(kind.problem_type.documentation)}


def test_parameters_come_from_a_known_place() -> None:
    nowhere: Any = "cookie"
    with pytest.raises(ValueError, match="'cookie' is not query, path or header"):
        exceptions.ParameterError({}, location=nowhere)
