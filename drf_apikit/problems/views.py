"""Where `type` URIs lead: a page about each problem type, for people and programs.

    path("problems/", include("drf_apikit.problems.urls"))

No authentication, and the same for everybody but for the language, so caches
may keep them.
"""

import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import get_language
from django.views.decorators.csrf import csrf_exempt

from drf_apikit.problem_types import METHOD_NOT_ALLOWED
from drf_apikit.problems.catalogue import describe_type
from drf_apikit.problems.negotiation import prefers_page
from drf_apikit.problems.registry import problem_types
from drf_apikit.problems.responses import problem_response

__all__ = ["type_detail", "type_list"]

_AN_HOUR: Final = 60 * 60

View = Callable[..., HttpResponse]


def _read_only(view: View) -> View:
    """Refuse other methods with a problem, before any CSRF check does."""

    @csrf_exempt
    @wraps(view)
    def wrapper(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if request.method in {"GET", "HEAD"}:
            return view(request, **kwargs)
        allow = {"Allow": "GET, HEAD"}
        return problem_response(METHOD_NOT_ALLOWED, request=request, headers=allow)

    return wrapper


@_read_only
def type_list(request: HttpRequest) -> HttpResponse:
    """List all types of the project."""
    types = [describe_type(kind) for kind in problem_types().values()]
    return _negotiated(request, "index.html", {"types": types})


@_read_only
def type_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Tell what one type means, what to do, and what its documents look like."""
    kind = problem_types().get(slug)
    if kind is None:
        raise Http404
    return _negotiated(request, "detail.html", describe_type(kind))


def _negotiated(
    request: HttpRequest, template: str, content: Mapping[str, Any]
) -> HttpResponse:
    """Answer with HTML to whoever asks for it by name, else with JSON."""
    response: HttpResponse
    if prefers_page(request):
        context = {
            **content,
            "language": get_language() or "en",
            "schema_text": _pretty(content.get("schema")),
            "example_text": _pretty(content.get("example")),
        }
        page = render_to_string(f"drf_apikit/problems/{template}", context)
        response = HttpResponse(page)
        # The page has its style inside, and nothing else to load or to run.
        response["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
            " form-action 'none'; frame-ancestors 'none'"
        )
    else:
        response = JsonResponse(dict(content))
    patch_cache_control(response, public=True, max_age=_AN_HOUR)
    patch_vary_headers(response, ["Accept", "Accept-Language"])
    return response


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
