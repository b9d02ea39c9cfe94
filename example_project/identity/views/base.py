"""Bad input gets a proper answer: an OAuth error or a page, never a 500."""

import logging
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

__all__ = [
    "Endpoint",
    "Page",
    "error_document",
    "error_page",
]

LONGEST_VALUE = 4096

logger = logging.getLogger("identity")


class Page(View):
    """A view for people: bad input gives the error page."""

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Answer the request; parameters that nobody can read are refused."""
        if (problem := _unreadable(request)) is not None:
            return self.refuse(problem)
        try:
            return super().dispatch(request, *args, **kwargs)
        except ValueError:
            # oauthlib and the toolkit let the errors of URI parsers through.
            logger.warning("A request could not be read.", exc_info=True)
            return self.refuse("A parameter cannot be read.")

    def refuse(self, description: str) -> HttpResponse:
        """Say what is wrong with the request, with status 400."""
        return error_page(self.request, 400, description, error="invalid_request")


@method_decorator(csrf_exempt, name="dispatch")
class Endpoint(Page):
    """A view for programs: bad input gives the JSON document of RFC 6749."""

    def refuse(self, description: str) -> HttpResponse:
        """Say what is wrong with the request, with status 400."""
        return error_document(400, "invalid_request", description)


def error_document(status: int, error: str, description: str) -> HttpResponse:
    """Return an error as RFC 6749 section 5.2 says."""
    return JsonResponse(
        {"error": error, "error_description": description},
        status=status,
        headers={"Cache-Control": "no-store"},
    )


def error_page(
    request: HttpRequest,
    status: int,
    description: str,
    *,
    title: str = "This did not work",
    error: str = "",
) -> HttpResponse:
    """Return an error for a person to read; `error` is its OAuth code, if any."""
    context = {
        "title": title,
        "description": description,
        "error": error,
        "status": status,
    }
    return render(request, "identity/error.html", context, status=status)


def _unreadable(request: HttpRequest) -> str | None:
    for parameters in (request.GET, request.POST):
        for name, values in parameters.lists():
            for text in (name, *values):
                if "\0" in text:
                    return "A parameter contains a NUL character."
                if len(text) > LONGEST_VALUE:
                    return f"A parameter is longer than {LONGEST_VALUE} characters."
    return None
