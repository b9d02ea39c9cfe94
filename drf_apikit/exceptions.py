"""What the blocks raise: DRF API exceptions that each own a problem type.

With `drf_apikit.problems.exception_handler` they become RFC 9457 documents;
with DRF's own handler they are answers with the same status and detail.
"""

from collections.abc import Mapping
from typing import Any, Literal

from django.utils.functional import Promise
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    PermissionDenied,
    ValidationError,
)

from drf_apikit import problem_types
from drf_apikit.problem_types import ProblemType

__all__ = [
    "AuthenticationUnavailable",
    "EditConflict",
    "IdempotencyInProgress",
    "IdempotencyKeyAnonymous",
    "IdempotencyKeyMalformed",
    "IdempotencyKeyMissing",
    "IdempotencyKeyReused",
    "IdempotencyResponseNotKept",
    "IdempotencyUnavailable",
    "InsufficientScope",
    "InvalidCursor",
    "InvalidPage",
    "InvalidPageSize",
    "InvalidRequest",
    "InvalidToken",
    "ParameterError",
    "PreconditionFailed",
    "PreconditionRequired",
    "Problem",
    "RefreshTokenRefused",
    "RefreshTokenUsed",
    "TokenTooLarge",
    "TokensUnavailable",
]


class Problem(APIException):
    """A failure of a known type, with the members that this occurrence adds.

    `detail` is for the client and defaults to the type's documentation.
    `headers` go out with the answer. Raise it with a type, or give a subclass
    one:

        raise Problem("The balance is 30.", problem_type=POOR, balance=30)

    Raises:
        TypeError: no type, or a member that the type does not declare.

    """

    problem_type: ProblemType

    def __init__(
        self,
        detail: str | Promise | None = None,
        *,
        problem_type: ProblemType | None = None,
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        chosen = problem_type or getattr(self, "problem_type", None)
        if chosen is None:
            raise TypeError("a Problem needs a problem_type")
        for name in extensions:
            if name not in chosen.extensions:
                raise TypeError(f"{chosen.slug} declares no member {name!r}")
        self.problem_type = chosen
        self.status_code = chosen.status
        self.headers = dict(headers or {})
        self.extensions = extensions
        text: Any = detail or chosen.documentation or chosen.title
        super().__init__(text, chosen.code)


class ParameterError(ValidationError):
    """400: values that came in the query string, the path or a header.

    `errors` is what DRF's `ValidationError` takes, usually a dict from names to
    messages; `location` is `query`, `path` or `header`.

    Raises:
        ValueError: another location.

    """

    def __init__(
        self,
        errors: Any,
        *,
        location: Literal["query", "path", "header"],
        code: str | None = None,
    ) -> None:
        if location not in {"query", "path", "header"}:
            raise ValueError(f"{location!r} is not query, path or header")
        super().__init__(errors, code)
        self.location = location


class InvalidCursor(Problem):
    """400: a cursor that was not given out for this list."""

    problem_type = problem_types.INVALID_CURSOR


class InvalidPage(Problem):
    """400: a page number or an offset that is none, or beyond the maximum."""

    problem_type = problem_types.INVALID_PAGE


class InvalidPageSize(Problem):
    """400: a page size that is no number from 1 to the maximum."""

    problem_type = problem_types.INVALID_PAGE_SIZE


class PreconditionFailed(Problem):
    """412: RFC 9110 section 15.5.13."""

    problem_type = problem_types.PRECONDITION_FAILED


class PreconditionRequired(Problem):
    """428: RFC 6585 section 3."""

    problem_type = problem_types.PRECONDITION_REQUIRED


class EditConflict(Problem):
    """409: other writers won every time."""

    problem_type = problem_types.EDIT_CONFLICT


class IdempotencyKeyMissing(Problem):
    """400: the operation needs a key."""

    problem_type = problem_types.IDEMPOTENCY_KEY_MISSING


class IdempotencyKeyMalformed(Problem):
    """400: the key is no structured string and no bare token."""

    problem_type = problem_types.IDEMPOTENCY_KEY_MALFORMED


class IdempotencyKeyAnonymous(Problem):
    """400: a key from a caller that nobody knows."""

    problem_type = problem_types.IDEMPOTENCY_KEY_ANONYMOUS


class IdempotencyKeyReused(Problem):
    """422: the key came with another payload before."""

    problem_type = problem_types.IDEMPOTENCY_KEY_REUSED


class IdempotencyInProgress(Problem):
    """409: the first request has not finished."""

    problem_type = problem_types.IDEMPOTENCY_IN_PROGRESS


class IdempotencyResponseNotKept(Problem):
    """409: the effect is done, its answer was too long to be kept."""

    problem_type = problem_types.IDEMPOTENCY_RESPONSE_NOT_KEPT


class IdempotencyUnavailable(Problem):
    """503: the database cannot be asked, so the view was not run."""

    problem_type = problem_types.IDEMPOTENCY_UNAVAILABLE


class InvalidToken(Problem, AuthenticationFailed):
    """401: RFC 6750 section 3.1, `invalid_token`."""

    problem_type = problem_types.INVALID_TOKEN


class InvalidRequest(Problem):
    """400: RFC 6750 section 3.1, `invalid_request`."""

    problem_type = problem_types.INVALID_AUTHORIZATION


class InsufficientScope(Problem, PermissionDenied):
    """403: RFC 6750 section 3.1, `insufficient_scope`."""

    problem_type = problem_types.INSUFFICIENT_SCOPE


class AuthenticationUnavailable(Problem):
    """503: the token cannot be judged, since no keys can be had."""

    problem_type = problem_types.AUTHENTICATION_UNAVAILABLE


class RefreshTokenRefused(Problem, AuthenticationFailed):
    """401: a refresh token that is no good, or no more (RFC 6749 section 5.2)."""

    problem_type = problem_types.REFRESH_TOKEN_REFUSED


class RefreshTokenUsed(Problem):
    """409: a refresh token that another request has just used."""

    problem_type = problem_types.REFRESH_TOKEN_USED


class TokensUnavailable(Problem):
    """503: there is no key to sign with, or the database cannot be asked."""

    problem_type = problem_types.TOKENS_UNAVAILABLE


class TokenTooLarge(Problem):
    """500: the claims of an access token are more than `MAX_SIZE` allows."""

    problem_type = problem_types.TOKEN_TOO_LARGE
