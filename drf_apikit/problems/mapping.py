"""Which problem type stands for which exception of Django and DRF."""

from collections.abc import Mapping
from typing import Final

from rest_framework import exceptions

from drf_apikit import problem_types
from drf_apikit.exceptions import Problem
from drf_apikit.problem_types import ProblemType

__all__ = ["find_type"]

_TYPES: Final[Mapping[type[exceptions.APIException], ProblemType]] = {
    exceptions.ValidationError: problem_types.VALIDATION_ERROR,
    exceptions.ParseError: problem_types.MALFORMED_REQUEST,
    exceptions.NotAuthenticated: problem_types.NOT_AUTHENTICATED,
    exceptions.AuthenticationFailed: problem_types.INVALID_CREDENTIALS,
    exceptions.PermissionDenied: problem_types.PERMISSION_DENIED,
    exceptions.NotFound: problem_types.NOT_FOUND,
    exceptions.MethodNotAllowed: problem_types.METHOD_NOT_ALLOWED,
    exceptions.NotAcceptable: problem_types.NOT_ACCEPTABLE,
    exceptions.UnsupportedMediaType: problem_types.UNSUPPORTED_MEDIA_TYPE,
    exceptions.Throttled: problem_types.THROTTLED,
}


def find_type(error: exceptions.APIException) -> ProblemType | None:
    """Find the type of an exception, by its own word or by inheritance.

    None means `about:blank`: an API exception of the project's own that has a
    status and nothing more, or one whose status is not that of its ancestor.
    """
    if isinstance(error, Problem):
        return error.problem_type
    found = next((_TYPES[c] for c in type(error).__mro__ if c in _TYPES), None)
    if type(error) is exceptions.APIException:
        found = problem_types.SERVER_ERROR
    fits = found is not None and found.status == error.status_code
    return found if fits else None
