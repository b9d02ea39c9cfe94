"""Problem types (RFC 9457 section 3.1.1): the class, and those of this package."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from drf_apikit._problem_type import RESERVED_MEMBERS, ProblemType

__all__ = ["RESERVED_MEMBERS", "ProblemType"]

_TEXT: Final[Mapping[str, Any]] = MappingProxyType({"type": "string"})
_INTEGER: Final[Mapping[str, Any]] = MappingProxyType({"type": "integer"})

VALIDATION_ERROR = ProblemType(
    "validation-error",
    _("Validation error"),
    400,
    _("Some values are not acceptable. `errors` names each of them."),
    {
        "errors": {"type": "array", "items": {"type": "object"}},
        "errors_total": _INTEGER,
    },
)
MALFORMED_REQUEST = ProblemType(
    "malformed-request", _("Malformed request"), 400, _("The body cannot be parsed.")
)
NOT_AUTHENTICATED = ProblemType(
    "not-authenticated",
    _("Authentication required"),
    401,
    _("Send credentials."),
    headers={"WWW-Authenticate": _("Which credentials are accepted.")},
)
INVALID_CREDENTIALS = ProblemType(
    "invalid-credentials",
    _("Invalid credentials"),
    401,
    _("The credentials that were sent are not accepted."),
)
INVALID_TOKEN = ProblemType(
    "invalid-token",
    _("Invalid access token"),
    401,
    _("The access token is malformed, expired, revoked or not for this API."),
    headers={"WWW-Authenticate": _("Which credentials are accepted.")},
)
INVALID_AUTHORIZATION = ProblemType(
    "invalid-authorization",
    _("Invalid Authorization header"),
    400,
    _("One access token is expected: in one header, after `Bearer`, nowhere else."),
)
PERMISSION_DENIED = ProblemType(
    "permission-denied", _("Permission denied"), 403, _("The caller may not do this.")
)
INSUFFICIENT_SCOPE = ProblemType(
    "insufficient-scope",
    _("Insufficient scope"),
    403,
    _("The access token lacks a scope. Ask the issuer for one that has it."),
    {"scope": _TEXT},
)
NOT_FOUND = ProblemType(
    "not-found", _("Not found"), 404, _("There is no such resource for this caller.")
)
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed",
    _("Method not allowed"),
    405,
    _("`Allow` lists the methods that this resource has."),
)
NOT_ACCEPTABLE = ProblemType(
    "not-acceptable",
    _("Not acceptable"),
    406,
    _("No representation fits the Accept header."),
)
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    "unsupported-media-type",
    _("Unsupported media type"),
    415,
    _("The body is in a format that this resource does not read."),
)
THROTTLED = ProblemType(
    "throttled", _("Too many requests"), 429, _("`Retry-After` says when to try again.")
)
BAD_REQUEST = ProblemType(
    "bad-request",
    _("Bad request"),
    400,
    _("The request is not one that this server can make sense of."),
)
CSRF_FAILED = ProblemType(
    "csrf-failed",
    _("CSRF verification failed"),
    403,
    _("A request with a session cookie also needs that session's CSRF token."),
)
RESOURCE_IN_USE = ProblemType(
    "resource-in-use",
    _("Resource in use"),
    409,
    _("Other resources still refer to this one. Remove them first."),
)
ALREADY_EXISTS = ProblemType(
    "already-exists",
    _("Already exists"),
    409,
    _("A value that must be unique is taken, maybe by a request at the same time."),
)
CONTENT_TOO_LARGE = ProblemType(
    "content-too-large",
    _("Content too large"),
    413,
    _("The request is larger, or has more parts, than this server reads."),
)
SERVICE_UNAVAILABLE = ProblemType(
    "service-unavailable",
    _("Service unavailable"),
    503,
    _("Something that this server needs is down. Try again in a while."),
    headers={"Retry-After": _("Seconds to wait.")},
)
SERVER_ERROR = ProblemType(
    "server-error", _("Internal server error"), 500, _("The fault is on our side.")
)

INVALID_CURSOR = ProblemType(
    "invalid-cursor",
    _("Invalid cursor"),
    400,
    _(
        "The cursor is not one that this API gave out for this list, ordering and"
        " filter. Start again without it."
    ),
    {"parameter": _TEXT},
)
INVALID_PAGE_SIZE = ProblemType(
    "invalid-page-size",
    _("Invalid page size"),
    400,
    _("The page size must be a whole number from 1 to `maximum`."),
    {"parameter": _TEXT, "maximum": _INTEGER},
)
INVALID_PAGE = ProblemType(
    "invalid-page",
    _("Invalid page"),
    400,
    _(
        "The page or offset must be a whole number within `maximum`. Lists are not"
        " read further than that; narrow them down with a filter."
    ),
    {"parameter": _TEXT, "maximum": _INTEGER},
)

PRECONDITION_FAILED = ProblemType(
    "precondition-failed",
    _("Precondition failed"),
    412,
    _("The resource has changed since it was read. Read it again, then decide."),
)
PRECONDITION_REQUIRED = ProblemType(
    "precondition-required",
    _("Precondition required"),
    428,
    _("Read the resource and send its ETag as If-Match with the write."),
)
EDIT_CONFLICT = ProblemType(
    "edit-conflict",
    _("Edit conflict"),
    409,
    _("Others kept changing the resource at the same time. Try again."),
)

# The titles are those of draft-ietf-httpapi-idempotency-key-header.
IDEMPOTENCY_KEY_MISSING = ProblemType(
    "idempotency-key-missing",
    _("Idempotency-Key is missing"),
    400,
    _("This operation needs an Idempotency-Key header with a fresh unique value."),
)
IDEMPOTENCY_KEY_MALFORMED = ProblemType(
    "idempotency-key-malformed",
    _("Idempotency-Key is malformed"),
    400,
    _("The key must be 1 to 255 visible ASCII characters, bare or as a string."),
)
IDEMPOTENCY_KEY_ANONYMOUS = ProblemType(
    "idempotency-key-anonymous",
    _("Idempotency-Key needs an authenticated caller"),
    400,
    _("Answers are kept for the caller alone, so it must be known who that is."),
)
IDEMPOTENCY_KEY_REUSED = ProblemType(
    "idempotency-key-reused",
    _("Idempotency-Key is already used"),
    422,
    _("The key was used with another payload. Use a fresh key for a new request."),
)
IDEMPOTENCY_IN_PROGRESS = ProblemType(
    "idempotency-in-progress",
    _("A request is outstanding for this Idempotency-Key"),
    409,
    _("The first request is still running. Retry after `Retry-After` seconds."),
    headers={"Retry-After": _("Seconds to wait.")},
)
IDEMPOTENCY_RESPONSE_NOT_KEPT = ProblemType(
    "idempotency-response-not-kept",
    _("The first response was not kept"),
    409,
    _("The first request succeeded, but its answer was too long to be kept."),
    headers={"Location": _("Where the result is, if the first answer said so.")},
)
IDEMPOTENCY_UNAVAILABLE = ProblemType(
    "idempotency-unavailable",
    _("Idempotency is unavailable"),
    503,
    _("It cannot be told whether this was done before, so nothing was done."),
    headers={"Retry-After": _("Seconds to wait.")},
)

AUTHENTICATION_UNAVAILABLE = ProblemType(
    "authentication-unavailable",
    _("Authentication is unavailable"),
    503,
    _("The issuer's keys cannot be had right now. The token was not judged."),
    headers={"Retry-After": _("Seconds to wait.")},
)
REFRESH_TOKEN_REFUSED = ProblemType(
    "refresh-token-refused",
    _("Refresh token refused"),
    401,
    _("The refresh token is unknown or expired, or its session has ended. Log in."),
    headers={"WWW-Authenticate": _("Which credentials are accepted.")},
)
REFRESH_TOKEN_USED = ProblemType(
    "refresh-token-used",
    _("Refresh token just used"),
    409,
    _("Another request has just used this refresh token. Go on with what it got."),
)
TOKENS_UNAVAILABLE = ProblemType(
    "tokens-unavailable",
    _("Tokens are unavailable"),
    503,
    _("No token can be given out or renewed right now. Nothing was changed."),
    headers={"Retry-After": _("Seconds to wait.")},
)
TOKEN_TOO_LARGE = ProblemType(
    "token-too-large",
    _("Token too large"),
    500,
    _("An access token would be larger than this service allows."),
)
LOGIN_FAILED = ProblemType(
    "login-failed",
    _("Login failed"),
    400,
    _("The login came to nothing; `reason` says why. Begin it again."),
    {"reason": _TEXT},
)
LOGIN_REFUSED = ProblemType(
    "login-refused",
    _("Login refused"),
    403,
    _("The login was declined, or the account may not be used here."),
    {"reason": _TEXT},
)
LOGIN_UNAVAILABLE = ProblemType(
    "login-unavailable",
    _("Login is unavailable"),
    503,
    _("The provider cannot be asked right now. Try again in a while."),
    {"reason": _TEXT},
    {"Retry-After": _("Seconds to wait.")},
)
SESSION_EXPIRED = ProblemType(
    "session-expired",
    _("Session expired"),
    403,
    _("The session has to be renewed: send the browser to `refresh_url`."),
    {"refresh_url": {"type": "string", "format": "uri"}},
)
