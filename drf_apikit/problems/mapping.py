"""Which answer stands for which exception of Django, DRF and the project.

Text of an exception that is no API exception is never copied: it may tell of
tables, paths and values. Django's `ValidationError` is the one whose messages
are written for users.
"""

from collections.abc import Iterator, Mapping
from traceback import walk_tb
from typing import Any, Final

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
    ValidationError,
)
from django.db import IntegrityError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.parsers import JSONParser

from drf_apikit import problem_types
from drf_apikit.exceptions import Problem
from drf_apikit.problem_types import ProblemType
from drf_apikit.problems.document import Answer
from drf_apikit.problems.registry import exception_types
from drf_apikit.problems.validation import describe_errors, describe_model_errors

__all__ = ["describe", "describe_problem", "describe_refusal"]

#: Their own word, where they are no `Problem`.
_API_EXCEPTIONS: Final[Mapping[type[exceptions.APIException], ProblemType]] = {
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

#: Django's own, answered with the type's words and none of theirs.
_OTHERS: Final[Mapping[type[BaseException], ProblemType]] = {
    Http404: problem_types.NOT_FOUND,
    PermissionDenied: problem_types.PERMISSION_DENIED,
    ProtectedError: problem_types.RESOURCE_IN_USE,
    RestrictedError: problem_types.RESOURCE_IN_USE,
}

#: These reach `handler400` by way of Django, which logs them as suspicious.
_TOO_LARGE: Final = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)

#: PostgreSQL, MySQL, SQLite: a unique or primary key value that exists.
_DUPLICATE: Final = frozenset(
    {"23505", 1062, "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}
)


def describe(error: BaseException, location: str = "body") -> Answer | None:
    """Say what an exception means to the client; None for "nothing of yours".

    `location` is where its values would come from: `body` or `query`.
    """
    match error:
        case Problem():
            return describe_problem(error)
        case exceptions.APIException():
            return _api_exception(error, location)
        case ValidationError():
            kind = problem_types.VALIDATION_ERROR
            members = describe_model_errors(error, location)
            return Answer(kind.status, kind, kind.documentation, members)
        case BaseExceptionGroup():
            return _most_urgent(error, location)
    found = _other(error)
    return None if found is None else _plain(found)


def describe_refusal(error: BaseException | None) -> Answer:
    """Say what Django's own refusal of a request, a 400, means."""
    if isinstance(error, _TOO_LARGE):
        return _plain(problem_types.CONTENT_TOO_LARGE)
    return _plain(problem_types.BAD_REQUEST)


def _plain(kind: ProblemType) -> Answer:
    return Answer(kind.status, kind, kind.documentation)


def describe_problem(error: Problem) -> Answer:
    """Say what a `Problem` says itself."""
    status = error.status_code
    kind = _of_status(error.problem_type, status)
    headers = {**_waiting(error), **error.headers}
    return Answer(status, kind, error.detail, error.extensions, headers)


def _api_exception(error: exceptions.APIException, location: str) -> Answer:
    """Find the type by inheritance, unless the status says something else.

    Without a type it is `about:blank`: a project's own exception that has a
    status and nothing more.
    """
    kind = _inherited(_API_EXCEPTIONS, type(error))
    if type(error) is exceptions.APIException:
        kind = problem_types.SERVER_ERROR
    status, headers = error.status_code, _waiting(error)
    kind = _of_status(kind, status)
    if isinstance(error.detail, list | dict):
        members = describe_errors(error.detail, location)
        return Answer(status, kind, error.default_detail, members, headers)
    return Answer(status, kind, error.detail, {}, headers)


def _of_status(kind: ProblemType | None, status: int) -> ProblemType | None:
    """Drop a type that is published with another status."""
    return kind if kind is not None and kind.status == status else None


def _other(error: BaseException) -> ProblemType | None:
    if isinstance(error, IntegrityError) and _database_code(error) in _DUPLICATE:
        return problem_types.ALREADY_EXISTS
    if isinstance(error, RecursionError) and _is_parsing(error):
        return problem_types.MALFORMED_REQUEST
    return _inherited(_OTHERS, type(error))


def _waiting(error: exceptions.APIException) -> Mapping[str, str]:
    wait = getattr(error, "wait", None)
    return {} if wait is None else {"Retry-After": str(round(wait))}


def _inherited(types: Mapping[Any, ProblemType], kind: type) -> ProblemType | None:
    """Take the nearest class that the apps or we know; the apps' word wins."""
    declared = exception_types()
    found = (declared.get(base) or types.get(base) for base in kind.__mro__)
    return next(filter(None, found), None)


def _most_urgent(
    group: BaseExceptionGroup[BaseException], location: str
) -> Answer | None:
    """Choose one problem of several (RFC 9457 section 3): the highest status.

    Anything unknown in the group makes the whole of it unknown.
    """
    answers = [describe(error, location) for error in _leaves(group)]
    known = [answer for answer in answers if answer is not None]
    return max(known, key=_status) if len(known) == len(answers) else None


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseExceptionGroup):
            waiting.extend(reversed(error.exceptions))
        else:
            yield error


def _status(answer: Answer) -> int:
    return answer.status


def _is_parsing(error: RecursionError) -> bool:
    """Tell a body that is nested too deep from a fault of the server."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    return any(frame.f_code is JSONParser.parse.__code__ for frame in frames)


def _database_code(error: IntegrityError) -> Any:
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return code or (error.args[0] if error.args else None)
