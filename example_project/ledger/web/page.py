"""What all pages share: who may see them, their headers, and how they fail."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render, resolve_url
from django.utils import translation
from django.utils.cache import add_never_cache_headers
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import NotAuthenticated
from rest_framework.parsers import FormParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_apikit.problems import exception_handler

__all__ = ["Page", "page_exception_handler"]

# Nothing but the one style sheet. No form-action: browsers apply it to redirects
# after a form as well, and logging out ends at the provider.
POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; frame-ancestors 'none'"
)
LOGIN: Final = "oidc_authentication_init"
OWN_HEADERS: Final = frozenset({"content-type", "content-length"})


class Page(APIView):
    """A page for somebody who is logged in; anybody else is sent to log in."""

    authentication_classes = [SessionAuthentication]
    permission_classes = [IsAuthenticated]
    renderer_classes = [TemplateHTMLRenderer]
    parser_classes = [FormParser]
    # OPTIONS would describe an API.
    http_method_names = ["get", "head", "post"]
    # No operation of it either.
    schema = None

    def initialize_request(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> Request:
        """Speak English throughout: the pages are written in it alone."""
        translation.activate("en")
        return super().initialize_request(request, *args, **kwargs)

    def way_back(self, request: HttpRequest) -> str:
        """Say where a stranger goes on after the login."""
        return request.get_full_path() if request.method == "GET" else request.path

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Let nothing else be loaded, and nothing be kept on a shared computer."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final["Content-Security-Policy"] = POLICY
        add_never_cache_headers(final)
        return final

    def get_exception_handler(
        self,
    ) -> Callable[[Exception, dict[str, Any]], HttpResponseBase | None]:
        """Answer with pages where the API has problem documents."""
        return page_exception_handler


def page_exception_handler(
    exc: Exception, context: Mapping[str, Any]
) -> HttpResponseBase | None:
    """Send a stranger to the login; show anything else as a page."""
    request: HttpRequest = context["request"]._request
    if isinstance(exc, NotAuthenticated):
        wanted = context["view"].way_back(request)
        return redirect_to_login(wanted, resolve_url(LOGIN))
    answer: Any = exception_handler(exc, context)
    if answer is None:
        return None
    problem = json.loads(answer.content)
    page = render(
        request,
        "ledger_web/problem.html",
        {"problem": problem},
        status=answer.status_code,
    )
    for name, value in answer.items():
        if name.lower() not in OWN_HEADERS:
            page[name] = value
    return page
