"""The DRF exception handler: the first of the three ways in."""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from django.http import HttpResponseBase
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from drf_apikit.exceptions import ParameterError
from drf_apikit.logs import django_request
from drf_apikit.problems.document import Answer, respond
from drf_apikit.problems.mapping import describe
from drf_apikit.problems.occurrence import identify

__all__ = ["exception_handler"]

logger = logging.getLogger(__name__)

_CHALLENGE: Final = "WWW-Authenticate"


def exception_handler(
    exc: Exception, context: Mapping[str, Any]
) -> HttpResponseBase | None:
    """Answer an exception as `application/problem+json` (RFC 9457).

    What is no problem of the client's gives None: Django then logs it, signals
    it, rolls back and calls `handler500`, whose document has the same
    `instance` as the log record.
    """
    request = context.get("request")
    try:
        answer = _described(exc, request)
    except Exception:
        logger.exception("An exception could not be described")
        answer = Answer(500)
    if answer is None:
        identify(request)
        return None
    set_rollback()
    response = respond(answer, request)
    if _is_browsed(request):
        headers = dict(response.items())
        # The page is HTML, whatever the document would have been.
        del headers["Content-Type"]
        document = json.loads(response.content)
        return Response(document, response.status_code, headers=headers)
    return response


def _described(exc: Exception, request: Any) -> Answer | None:
    refused = isinstance(exc, NotAuthenticated | AuthenticationFailed)
    challenges = _challenges(request) if refused else []
    if challenges:
        # DRF has made it 403 if the first authenticator has no challenge.
        vars(exc)["status_code"] = 401
    answer = describe(exc, _location(exc, request))
    if answer is None:
        return None
    if answer.status == 401 and not refused:
        challenges = _challenges(request)
    own = getattr(exc, "auth_header", None)
    if own and not challenges:
        challenges = [own]
    if not challenges:
        return answer
    # What a problem says itself about how to authenticate stands.
    headers = {_CHALLENGE: ", ".join(challenges), **answer.headers}
    return replace(answer, headers=headers)


def _location(exc: Exception, request: Any) -> str:
    """Say where values come from: a GET has its parameters and no more."""
    if isinstance(exc, ParameterError):
        return exc.location
    method = getattr(django_request(request), "method", None)
    return "query" if method in {"GET", "HEAD"} else "body"


def _challenges(request: Any) -> list[str]:
    """List every scheme that the view takes (RFC 9110 section 11.6.1).

    DRF asks the first authenticator alone.
    """
    asked = [
        authenticator.authenticate_header(request)
        for authenticator in getattr(request, "authenticators", None) or ()
        if hasattr(authenticator, "authenticate_header")
    ]
    return list(dict.fromkeys(filter(None, asked)))


def _is_browsed(request: Any) -> bool:
    """Tell a person in the browsable API, who keeps the page, from a client."""
    renderer = getattr(request, "accepted_renderer", None)
    return isinstance(renderer, BrowsableAPIRenderer)
