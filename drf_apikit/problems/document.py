"""The document itself and the response that carries it (RFC 9457 section 3)."""

import json
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework.utils.encoders import JSONEncoder

from drf_apikit.conf import apikit_settings
from drf_apikit.problem_types import ProblemType

__all__ = ["MEDIA_TYPE", "ProblemResponse", "build_document", "phrase", "type_uri"]

#: RFC 9457 section 6.1.
MEDIA_TYPE: Final = "application/problem+json"

#: Python 3.13 renamed these; a title stays the same on every version.
_PHRASES: Final[Mapping[int, Any]] = {
    413: _("Content Too Large"),
    414: _("URI Too Long"),
    416: _("Range Not Satisfiable"),
    422: _("Unprocessable Content"),
}


class ProblemResponse(HttpResponse):
    """A rendered document, whatever the request's Accept header asks for.

    RFC 9457 section 3 lets a server send problem+json to any client; a
    negotiated rendering could fail in the very way that is being reported.
    """

    def __init__(self, document: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        content = json.dumps(document, cls=JSONEncoder).encode("ascii")
        super().__init__(content, status=document["status"], content_type=MEDIA_TYPE)
        self.document = document
        self["Cache-Control"] = "no-store"
        for name, value in headers.items():
            self[name] = value


def build_document(
    problem_type: ProblemType | None,
    status: int,
    detail: str | Promise,
    extensions: Mapping[str, Any],
) -> dict[str, Any]:
    """Put the members together; without a type it is `about:blank`.

    `instance` names this occurrence (RFC 9457 section 3.1.5).
    """
    title = problem_type.title if problem_type else phrase(status)
    return {
        "type": type_uri(problem_type) if problem_type else "about:blank",
        "title": str(title),
        "status": status,
        "detail": str(detail),
        "instance": uuid.uuid4().urn,
        **extensions,
    }


def type_uri(problem_type: ProblemType) -> str:
    """Build a type's URI: never from the request, whose Host a client chooses."""
    return f"{apikit_settings.problems.type_base}{problem_type.slug}"


def phrase(status: int) -> str:
    """Give the title of `about:blank` (RFC 9457 section 4.2.1)."""
    if status in _PHRASES:
        return str(_PHRASES[status])
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return HTTPStatus(status // 100 * 100).phrase
