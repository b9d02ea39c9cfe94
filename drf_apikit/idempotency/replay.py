"""Who may have a stored answer, and what of it."""

from typing import Any, Final, TypeGuard

from django.core.exceptions import FieldError, ValidationError
from django.db import router
from django.http import Http404
from rest_framework.generics import GenericAPIView
from rest_framework.mixins import (
    CreateModelMixin,
    DestroyModelMixin,
    ListModelMixin,
    RetrieveModelMixin,
    UpdateModelMixin,
)
from rest_framework.views import APIView

from drf_apikit.lookups import has_rows, lookup_kwarg

__all__ = ["asks", "authorize_replay", "finds_objects"]

_OF_ONE: Final = (RetrieveModelMixin, UpdateModelMixin, DestroyModelMixin)
_OF_ALL: Final = (CreateModelMixin, ListModelMixin)


def authorize_replay(view: APIView, *, own: bool) -> bool:
    """Apply the view's queryset and object permissions, as a first run would.

    A view that finds its objects in its own way has an `authorize_replay()` of
    its own, which is asked instead, and raises what it would answer.

    Gives False where the row is gone, as after a DELETE: then there is no object
    to ask about, and the one who did it, whose `own` answer it is, learns that
    it is done, and nothing else.

    Raises:
        Http404, PermissionDenied: the caller may not see the object any more.

    """
    hook = getattr(view, "authorize_replay", None)
    if hook is not None:
        hook()
        return True
    if not finds_objects(view):
        return True
    try:
        view.get_object()
    except Http404:
        if own and _is_gone(view):
            return False
        raise
    return True


def asks(view: APIView) -> bool:
    """Tell whether to authorize a replay may take a transaction."""
    return hasattr(view, "authorize_replay") or finds_objects(view)


def finds_objects(view: APIView) -> "TypeGuard[GenericAPIView[Any]]":
    """Tell whether this is a detail route of a view that has rows."""
    if not isinstance(view, GenericAPIView):
        return False
    if not has_rows(view) or lookup_kwarg(view) not in view.kwargs:
        return False
    # A router has said so; elsewhere, what only creates and lists has an argument
    # that names the parent.
    declared = getattr(view, "detail", None)
    if declared is not None:
        return bool(declared)
    return isinstance(view, _OF_ONE) or not isinstance(view, _OF_ALL)


def _is_gone(view: "GenericAPIView[Any]") -> bool:
    """Tell a row that nobody has any more from one that the caller may not see."""
    model = view.get_queryset().model
    sought = {view.lookup_field: view.kwargs[lookup_kwarg(view)]}
    rows = model._base_manager.using(router.db_for_write(model))
    try:
        return not rows.filter(**sought).exists()
    except FieldError:
        # It is looked up by what is no column: nobody can tell.
        return False
    except (TypeError, ValueError, ValidationError):
        # What cannot be looked up never was a row.
        return True
