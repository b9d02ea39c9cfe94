"""The document and the response that carries it (RFC 9457 section 3).

Every way in ends here: `respond()` always gives a valid document.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from rest_framework.utils.encoders import JSONEncoder

from drf_apikit.conf import apikit_settings
from drf_apikit.counters import count
from drf_apikit.problem_types import ProblemType
from drf_apikit.problems.occurrence import identify, trace_of

__all__ = ["MEDIA_TYPE", "Answer", "ProblemResponse", "phrase", "respond", "type_uri"]

logger = logging.getLogger(__name__)

#: RFC 9457 section 6.1.
MEDIA_TYPE: Final = "application/problem+json"

#: What counters know `about:blank` as: some of them make much of a colon.
_BLANK: Final = "about-blank"

#: Python 3.13 renamed these; a title stays the same on every version.
_PHRASES: Final[Mapping[int, Any]] = {
    413: _("Content Too Large"),
    414: _("URI Too Long"),
    416: _("Range Not Satisfiable"),
    422: _("Unprocessable Content"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What there is to say about a failure; no `problem_type` is `about:blank`."""

    status: int
    problem_type: ProblemType | None = None
    detail: Any = ""
    extensions: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class ProblemResponse(HttpResponse):
    """A rendered document, whatever the request's Accept header asks for.

    RFC 9457 section 3 lets a server send problem+json to any client; a
    negotiated rendering could fail in the very way that is being reported.
    `document` has the members.
    """

    def __init__(self, document: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        self.document, body = _written(document)
        super().__init__(body, status=document["status"], content_type=MEDIA_TYPE)
        self["Cache-Control"] = "no-store"
        language = get_language()
        if language:
            self["Content-Language"] = language
        for name, value in headers.items():
            self[name] = value


def respond(answer: Answer, request: Any = None) -> ProblemResponse:
    """Write the document of an answer; a fault in doing so is reported.

    The client then gets a constant document with the same status: what went
    wrong with its request is still more than nothing.
    """
    kind = answer.problem_type
    try:
        response = ProblemResponse(_document(answer, request), answer.headers)
    except Exception:
        logger.exception("A problem document could not be written")
        plain = _plain_document(_failure(answer.status), request)
        kind, response = None, ProblemResponse(plain, {})
    slug = kind.slug if kind else _BLANK
    count("problems.answered", type=slug, status=str(response.status_code))
    return response


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


def _document(answer: Answer, request: Any) -> dict[str, Any]:
    kind, status = answer.problem_type, int(answer.status)
    if not 400 <= status <= 599:
        raise ValueError(f"{status} is no status of a failure")
    document = {
        "type": type_uri(kind) if kind else "about:blank",
        "title": str(kind.title) if kind else phrase(status),
        "status": status,
        "detail": str(answer.detail) or phrase(status),
        "instance": identify(request),
    }
    trace = trace_of(request)
    if trace is not None:
        document["trace_id"] = trace
    return {**document, **answer.extensions}


def _plain_document(status: int, request: Any) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": phrase(status),
        "status": status,
        "detail": phrase(status),
        "instance": identify(request),
    }


def _failure(status: Any) -> int:
    return status if isinstance(status, int) and 400 <= status <= 599 else 500


def _written(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes]:
    """Write a document; members that JSON cannot hold are left out and reported."""
    try:
        return document, _dump(document)
    except Exception:
        logger.exception("A problem document has a member that cannot be written")
    kept = {name: value for name, value in document.items() if _is_writable(value)}
    return kept, _dump(kept)


def _is_writable(value: Any) -> bool:
    with suppress(Exception):
        return bool(_dump(value))
    return False


def _dump(value: Any) -> bytes:
    """Write JSON; half a surrogate pair, which is no text, becomes a `?`."""
    return _encode(value).encode("utf-8", "replace")


#: NaN and the infinities are no JSON, although Python would write them.
_encode: Final = JSONEncoder(allow_nan=False, ensure_ascii=False).encode
