"""PUT on a name that has no object yet (RFC 9110 section 9.3.4)."""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError as InvalidLookup
from django.db import IntegrityError, router, transaction
from django.http import Http404, HttpResponseBase
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.response import Response

from drf_apikit.conditional.locking import begin_write, rows_of
from drf_apikit.conditional.refusals import require, verdict
from drf_apikit.conditional.written import set_new_validators
from drf_apikit.handlers import Call

if TYPE_CHECKING:
    from drf_apikit.conditional.mixins import ConditionalMixin

__all__ = ["create"]


def create(view: "ConditionalMixin", call: Call) -> HttpResponseBase | None:
    """Make the object; None where another request has just done so.

    Raises:
        Http404: the name cannot be one, or belongs to what the caller may not see.

    """
    name = view.lookup_field
    lookup = {name: view.kwargs[view.lookup_url_kwarg or name]}
    model = view.get_queryset().model
    alias = router.db_for_write(model)
    try:
        rows_of(model, alias).filter(**lookup)
    except (TypeError, ValueError, InvalidLookup):
        raise Http404 from None
    try:
        verdict(view, call, None)
        require(view, call, None)
        with transaction.atomic(using=alias):
            begin_write(model, alias, **lookup)
            return _save(view, call, alias)
    except (IntegrityError, APIException):
        # Whatever else is wrong: of a hidden object nobody hears anything but 404.
        if not _is_taken(model, alias, lookup):
            raise
        if view.is_second_attempt:
            # Either that is one, or another request was faster once more.
            view.get_object()
        return None


def _save(view: "ConditionalMixin", call: Call, alias: str) -> HttpResponseBase:
    serializer = view.get_serializer(data=call.request.data)
    serializer.is_valid(raise_exception=True)
    view.perform_put_create(serializer)
    response = Response(serializer.data, status=status.HTTP_201_CREATED)
    view.held_object = serializer.instance
    return call.finish(set_new_validators(view, call, response, alias))


def _is_taken(model: Any, alias: str, lookup: dict[str, Any]) -> bool:
    """Look at what is committed, which a snapshot may not show."""
    with transaction.atomic(using=alias):
        rows = rows_of(model, alias).filter(**lookup).select_for_update()
        return bool(rows.values_list("pk")[:1])
