"""Problem answers for code that returns rather than raises: the third way in."""

from collections.abc import Mapping
from typing import Any

from drf_apikit.exceptions import Problem
from drf_apikit.problem_types import ProblemType
from drf_apikit.problems.document import ProblemResponse, respond
from drf_apikit.problems.mapping import describe_problem

__all__ = ["problem_response"]


def problem_response(
    problem_type: ProblemType,
    detail: str | None = None,
    *,
    request: Any = None,
    headers: Mapping[str, str] | None = None,
    **extensions: Any,
) -> ProblemResponse:
    """Make the response for a problem, in any Django view or middleware.

    With the `request` its `instance` is that of the log records.

    Raises:
        TypeError: a member that the type does not declare.

    """
    problem = Problem(detail, problem_type=problem_type, headers=headers, **extensions)
    return respond(describe_problem(problem), request)
