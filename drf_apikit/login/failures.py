"""What is answered when a login came to nothing, and what the log is told."""

import logging
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template import Engine, TemplateDoesNotExist, loader
from django.urls import NoReverseMatch, reverse
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.translation import get_language
from rest_framework.settings import api_settings

from drf_apikit import problem_types
from drf_apikit.conf import apikit_settings
from drf_apikit.counters import count
from drf_apikit.exceptions import Problem
from drf_apikit.login.destinations import next_field, setting_url
from drf_apikit.login.errors import LoginError, explanation
from drf_apikit.signals import login_failed

__all__ = ["failed_response", "keep_private", "problem_response", "report"]

logger = logging.getLogger("drf_apikit.login")

#: Seconds after which a provider may be back.
_RETRY_AFTER: Final = 10
_PAGE: Final = "drf_apikit/login/failed.html"
#: Where it is in this package.
_FOLDER: Final = str(Path(__file__).resolve().parents[1] / "templates")
_HTML: Final = "text/html"
_JSON: Final = ("application/problem+json", "application/json")
AnyResponse = TypeVar("AnyResponse", bound=HttpResponseBase)
_KINDS: Final = {
    400: problem_types.LOGIN_FAILED,
    403: problem_types.LOGIN_REFUSED,
    503: problem_types.LOGIN_UNAVAILABLE,
}


def report(request: HttpRequest, error: LoginError) -> None:
    """Tell the log, the counter and the listeners; the log alone has the detail."""
    level = logging.WARNING if error.status == 503 else logging.INFO
    logger.log(level, "A login failed: %s (%s)", error.reason.value, error.detail)
    count("login.failed", reason=error.reason.value)
    login_failed.send_robust(
        sender=LoginError,
        request=request,
        reason=error.reason,
        issuer=apikit_settings.login.issuer,
    )


def failed_response(
    request: HttpRequest, error: LoginError, next_url: str | None = None
) -> HttpResponseBase:
    """Answer with a page, or with a problem document to a program."""
    if prefers_json(request):
        headers = {"Retry-After": str(_RETRY_AFTER)} if error.status == 503 else {}
        problem = Problem(
            problem_type=_KINDS[error.status],
            headers=headers,
            reason=error.reason.value,
        )
        return problem_response(request, problem)
    context: dict[str, Any] = {
        "user": getattr(request, "user", None),
        "explanation": explanation(error.reason),
        "reason": error.reason.value,
        "status": error.status,
        "retry_url": _retry_url(next_url),
        "home_url": setting_url("LOGIN_REDIRECT_URL"),
        "language": get_language() or "en",
    }
    response = HttpResponse(_page(request, context), status=error.status)
    if error.status == 503:
        response["Retry-After"] = str(_RETRY_AFTER)
    return keep_private(response)


def _page(request: HttpRequest, context: dict[str, Any]) -> str:
    """Write the project's page, or ours where its template engines have none."""
    try:
        template = loader.get_template(_PAGE)
    except TemplateDoesNotExist:
        libraries = {"i18n": "django.templatetags.i18n"}
        engine = Engine(dirs=[_FOLDER], libraries=libraries)
        return engine.render_to_string(_PAGE, context)
    return template.render(context, request)


def prefers_json(request: HttpRequest) -> bool:
    """Tell a program, which asks for JSON and likes a page no better."""
    try:
        return request.get_preferred_type([_HTML, *_JSON]) in _JSON
    except ValueError:
        # Django finds some Accept headers too odd to read.
        return False


def problem_response(request: HttpRequest, problem: Problem) -> HttpResponseBase:
    """Answer with what the project's exception handler of DRF makes of a problem."""
    handler: Any = api_settings.EXCEPTION_HANDLER
    context: dict[str, Any] = {
        "view": None,
        "args": (),
        "kwargs": {},
        "request": request,
    }
    try:
        response = handler(problem, context)
    except Exception:
        logger.exception("The exception handler cannot do without a view")
        response = None
    if isinstance(response, HttpResponseBase) and not hasattr(response, "data"):
        return keep_private(response)
    # DRF's own answers have no renderer outside of its views.
    return keep_private(_plain(problem, getattr(response, "data", None)))


def keep_private(response: AnyResponse) -> AnyResponse:
    """Let no cache keep an answer, and no other site see the URL that led to it."""
    add_never_cache_headers(response)
    response.headers["Referrer-Policy"] = "no-referrer"
    patch_vary_headers(response, ["Accept", "Cookie"])
    return response


def _plain(problem: Problem, data: Any) -> JsonResponse:
    members = data if isinstance(data, dict) else {"detail": str(problem.detail)}
    return JsonResponse(
        {**members, **problem.extensions},
        status=problem.status_code,
        headers=problem.headers,
    )


def _retry_url(next_url: str | None) -> str:
    """Give where a login begins."""
    try:
        url = reverse("oidc_authentication_init")
    except NoReverseMatch:
        return setting_url("LOGIN_URL")
    return f"{url}?{urlencode({next_field(): next_url})}" if next_url else url
