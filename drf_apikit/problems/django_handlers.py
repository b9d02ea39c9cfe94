"""Django's own error views: the second way in, for all that DRF never sees.

In the root URL configuration:

    from drf_apikit.problems.django_handlers import *

and in the settings:

    CSRF_FAILURE_VIEW = "drf_apikit.problems.django_handlers.csrf_failure"

They answer API clients; a browser that asks for a page gets Django's. Django
calls them with `DEBUG = False` only.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.views import csrf as views_csrf
from django.views import defaults

from drf_apikit import problem_types
from drf_apikit.conf import apikit_settings
from drf_apikit.problem_types import ProblemType
from drf_apikit.problems.document import Answer, respond
from drf_apikit.problems.mapping import describe_refusal
from drf_apikit.problems.negotiation import prefers_page

__all__ = ["csrf_failure", "handler400", "handler403", "handler404", "handler500"]

#: Seconds after which a database may be back.
_RETRY_AFTER: Final = 5


def handler400(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer what Django finds suspicious: 400, or 413 for what is too large."""
    page = partial(defaults.bad_request, request, exception)
    return _answer(request, page, describe_refusal(exception))


def handler403(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer `PermissionDenied`, without its text."""
    page = partial(defaults.permission_denied, request, exception)
    return _answer(request, page, _plain(problem_types.PERMISSION_DENIED))


def handler404(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer an unmatched URL and `Http404`, without its text."""
    page = partial(defaults.page_not_found, request, exception)
    return _answer(request, page, _plain(problem_types.NOT_FOUND))


def handler500(request: HttpRequest) -> HttpResponseBase:
    """Answer any other exception; by choice 503 where the database is down.

    Django has logged and signalled it, or is about to, with the same request
    and so the same `instance`.
    """
    answer = _plain(problem_types.SERVER_ERROR)
    down = isinstance(sys.exception(), (OperationalError, InterfaceError))
    if down and apikit_settings.problems.database_errors_as_503:
        unavailable = _plain(problem_types.SERVICE_UNAVAILABLE)
        answer = replace(unavailable, headers={"Retry-After": str(_RETRY_AFTER)})
    return _answer(request, partial(defaults.server_error, request), answer)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Answer a request that Django's CSRF protection refuses."""
    page = partial(views_csrf.csrf_failure, request, reason)
    return _answer(request, page, _plain(problem_types.CSRF_FAILED))


def _plain(kind: ProblemType) -> Answer:
    return Answer(kind.status, kind, kind.documentation)


def _answer(
    request: HttpRequest, page: Callable[[], HttpResponseBase], answer: Answer
) -> HttpResponseBase:
    """Give a visitor the page, a client the problem; caches keep them apart."""
    response = page() if _is_page(request) else respond(answer, request)
    patch_vary_headers(response, ["Accept"])
    return response


def _is_page(request: HttpRequest) -> bool:
    """Tell a visitor with a browser from a client of the API.

    Outside of `PROBLEMS["PATHS"]` everybody is a visitor.
    """
    paths = apikit_settings.problems.paths
    if paths is not None and not request.path_info.startswith(tuple(paths)):
        return True
    return prefers_page(request)
