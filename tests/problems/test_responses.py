import pytest
from django.test import RequestFactory

from drf_apikit.problem_types import NOT_FOUND, ProblemType
from drf_apikit.problems import ProblemResponse, problem_response
from drf_apikit.problems.occurrence import identify
from drf_apikit.testing import assert_problem

POOR = ProblemType("poor", "Poor", 402, "Earn more.", {"balance": {"type": "integer"}})


def test_a_problem_may_be_returned() -> None:
    request = RequestFactory().get("/")
    response = problem_response(
        POOR, "You are.", request=request, headers={"X-Own": "1"}, balance=3
    )
    assert isinstance(response, ProblemResponse)
    document = assert_problem(
        response, 402, "poor", title="Poor", detail="You are.", balance=3
    )
    assert document["instance"] == identify(request)
    assert (response["X-Own"], response["Cache-Control"]) == ("1", "no-store")


def test_the_type_says_what_the_caller_does_not() -> None:
    assert_problem(problem_response(POOR), 402, "poor", detail="Earn more.")
    assert_problem(problem_response(NOT_FOUND, ""), 404, "not-found")


@pytest.mark.compliance("RFC 9457", "3.2")
def test_a_member_must_be_declared() -> None:
    with pytest.raises(TypeError, match="poor declares no member 'other'"):
        problem_response(POOR, other=1)
