"""The DRF exception handler."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseBase
from rest_framework import exceptions
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from drf_apikit.conf import apikit_settings
from drf_apikit.exceptions import Problem
from drf_apikit.problems.document import ProblemResponse, build_document
from drf_apikit.problems.mapping import find_type
from drf_apikit.problems.validation import list_errors

__all__ = ["exception_handler"]


def exception_handler(
    exc: Exception, context: Mapping[str, Any]
) -> HttpResponseBase | None:
    """Answer an API exception as `application/problem+json` (RFC 9457).

    Anything that is no API exception gives None: Django then logs it, signals
    it, rolls back and answers 500 as ever.
    """
    error = _as_api_exception(exc)
    if error is None:
        return None
    problem_type = find_type(error)
    detail, extensions = _describe(error)
    document = build_document(problem_type, error.status_code, detail, extensions)
    set_rollback()
    headers = _headers(error)
    if _is_browsed(context.get("request")):
        return Response(document, status=error.status_code, headers=headers)
    return ProblemResponse(document, headers)


def _is_browsed(request: Any) -> bool:
    """Tell a person in the browsable API, who keeps the page, from a client."""
    renderer = getattr(request, "accepted_renderer", None)
    return isinstance(renderer, BrowsableAPIRenderer)


def _as_api_exception(exc: Exception) -> exceptions.APIException | None:
    """Take Django's own two over without their text, which may tell too much."""
    match exc:
        case Http404():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case exceptions.APIException():
            return exc
        case _:
            return None


def _describe(error: exceptions.APIException) -> tuple[Any, Mapping[str, Any]]:
    """Give `detail`, always a string, and the extension members."""
    if isinstance(error, Problem):
        return error.detail, error.extensions
    if isinstance(error.detail, list | dict):
        errors, total = list_errors(error.detail, apikit_settings.problems.max_errors)
        return error.default_detail, {"errors": errors, "errors_total": total}
    return error.detail, {}


def _headers(error: exceptions.APIException) -> Mapping[str, str]:
    headers = dict(error.headers) if isinstance(error, Problem) else {}
    challenge = getattr(error, "auth_header", None)
    if challenge:
        headers.setdefault("WWW-Authenticate", challenge)
    wait = getattr(error, "wait", None)
    if wait is not None:
        headers.setdefault("Retry-After", str(round(wait)))
    return headers
