import pytest
from rest_framework import exceptions

from drf_apikit import problem_types
from drf_apikit.exceptions import EditConflict, InsufficientScope
from drf_apikit.problem_types import ProblemType
from drf_apikit.problems.mapping import find_type


class Hidden(exceptions.NotFound):
    pass


class Gone(exceptions.NotFound):
    status_code = 410


class Own(exceptions.APIException):
    pass


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EditConflict(), problem_types.EDIT_CONFLICT),
        (InsufficientScope(), problem_types.INSUFFICIENT_SCOPE),
        (Hidden(), problem_types.NOT_FOUND),
        (Gone(), None),
        (Own(), None),
        (exceptions.APIException(), problem_types.SERVER_ERROR),
    ],
    ids=["own", "own and inherited", "descendant", "status", "nobody's", "any"],
)
def test_the_type_of_an_exception(
    error: exceptions.APIException, expected: ProblemType | None
) -> None:
    assert find_type(error) is expected
