"""PUT on a name that has no object yet (RFC 9110 section 9.3.4)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError as InvalidLookup
from django.db import DEFAULT_DB_ALIAS, IntegrityError, transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponseBase
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.response import Response

from drf_apikit.conditional.locking import alias_of, begin_write, rows_of
from drf_apikit.conditional.new_tags import set_new_validators
from drf_apikit.conditional.refusals import require, verdict
from drf_apikit.conditional.routes import model_of
from drf_apikit.handlers import Call
from drf_apikit.lookups import lookup_kwarg

if TYPE_CHECKING:
    from drf_apikit.conditional.mixins import ConditionalMixin

__all__ = ["create"]


def create(view: "ConditionalMixin", call: Call) -> HttpResponseBase | None:
    """Make the object; None where another request has just done so.

    Raises:
        Http404: the name cannot be one, or belongs to what the caller may not see.

    """
    name = view.lookup_field
    lookup = {name: view.kwargs[lookup_kwarg(view)]}
    model = model_of(view)
    if model is None or not _can_be(model, **lookup):
        raise Http404
    alias = alias_of(view.get_queryset())
    try:
        verdict(view, call, None)
        require(view, call, None)
        with transaction.atomic(using=alias):
            begin_write(model, alias)
            # What a hidden row or a parent's is called must not be written over.
            _refuse_taken(model, alias, lookup)
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


def _can_be(model: Any, **lookup: Any) -> bool:
    """Tell whether something can have that name: no text that the column refuses."""
    ((name, value),) = lookup.items()
    field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    try:
        rows_of(model, DEFAULT_DB_ALIAS).filter(**lookup)
        field.run_validators(field.to_python(value))
    except (TypeError, ValueError, InvalidLookup):
        return False
    return "\0" not in str(value)


def _refuse_taken(model: Any, alias: str, lookup: dict[str, Any]) -> None:
    """Look without locks: of two who are here at once the database chooses."""
    if any(rows.exists() for rows in _bearers(model, alias, lookup)):
        raise IntegrityError("the name is taken")


def _is_taken(model: Any, alias: str, lookup: dict[str, Any]) -> bool:
    """Look at what is committed, which a snapshot may not show."""
    with transaction.atomic(using=alias):
        return any(
            rows.select_for_update().values_list("pk")[:1]
            for rows in _bearers(model, alias, lookup)
        )


def _bearers(
    model: Any, alias: str, lookup: dict[str, Any]
) -> Iterator[QuerySet[Any, Any]]:
    """Give the rows of that name, those of parents' tables too."""
    ((name, value),) = lookup.items()
    yield rows_of(model, alias).filter(**lookup)
    if name in {"pk", model._meta.pk.name}:
        for parent in model._meta.get_parent_list():
            yield rows_of(parent, alias).filter(pk=value)
