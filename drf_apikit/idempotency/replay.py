"""The answer: what of it is kept, and how it is sent again."""

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import router
from django.http import Http404, HttpResponse, HttpResponseBase
from rest_framework.generics import GenericAPIView
from rest_framework.views import APIView

from drf_apikit.conf import apikit_settings
from drf_apikit.exceptions import IdempotencyResponseNotKept
from drf_apikit.lookups import has_rows, lookup_kwarg
from drf_apikit.models import IdempotencyRecord

__all__ = ["REPLAYED", "answer_of", "authorize_replay", "rebuild"]

#: The spelling that payment SDKs look for.
REPLAYED: Final = "Idempotent-Replayed"

#: Headers that belong to the answer. Cookies and credentials never do, nor does
#: what belongs to one connection, one moment or one caller's browser.
_KEPT: Final = (
    "Content-Type",
    "Content-Language",
    "Content-Disposition",
    "Location",
    "ETag",
    "Last-Modified",
    "Link",
    "Deprecation",
)


def answer_of(response: HttpResponseBase) -> dict[str, Any]:
    """Give the columns that hold a finished response.

    `body` is None for a stream and for what is longer than `MAX_BODY`: the
    record still says that the operation is done.
    """
    kept = {name.lower() for name in _KEPT}
    body = response.content if isinstance(response, HttpResponse) else None
    if body is not None and len(body) > apikit_settings.idempotency.max_body:
        body = None
    return {
        "status_code": response.status_code,
        "headers": [pair for pair in response.items() if pair[0].lower() in kept],
        "body": body,
    }


def authorize_replay(view: APIView) -> bool:
    """Apply the view's queryset and object permissions, as a first run would.

    Gives False where the row is gone, as after a DELETE: the caller is the one
    who was allowed to see it, since the record's scope has the principal.

    Raises:
        Http404, PermissionDenied: the caller may not see the object any more.

    """
    if not isinstance(view, GenericAPIView) or not _finds_objects(view):
        return True
    try:
        view.get_object()
    except Http404:
        if _is_gone(view):
            return False
        raise
    return True


def _finds_objects(view: "GenericAPIView[Any]") -> bool:
    """Tell whether this is a detail route of a view that has rows."""
    return has_rows(view) and lookup_kwarg(view) in view.kwargs


def _is_gone(view: "GenericAPIView[Any]") -> bool:
    """Tell a row that nobody has any more from one that the caller may not see."""
    model = view.get_queryset().model
    sought = {view.lookup_field: view.kwargs[lookup_kwarg(view)]}
    rows = model._base_manager.using(router.db_for_write(model))
    try:
        return not rows.filter(**sought).exists()
    except (TypeError, ValueError, ValidationError):
        # What cannot be looked up never was a row.
        return True


def rebuild(record: IdempotencyRecord, *, whole: bool) -> HttpResponse:
    """Make the response again, octet for octet; without `whole`, no body.

    Raises:
        IdempotencyResponseNotKept: the body was too long to be kept.

    """
    headers = dict(record.headers or []) if whole else {}
    if whole and record.body is None:
        place = {"Location": headers["Location"]} if "Location" in headers else {}
        raise IdempotencyResponseNotKept(headers=place)
    body = bytes(record.body or b"") if whole else b""
    response = HttpResponse(body, status=record.status_code)
    del response["Content-Type"]
    for name, value in headers.items():
        response[name] = value
    response["Cache-Control"] = "no-store"
    response[REPLAYED] = "true"
    return response
