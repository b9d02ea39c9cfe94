"""Who may have a stored answer, and what of it."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import router
from django.http import Http404
from rest_framework.generics import GenericAPIView
from rest_framework.views import APIView

from drf_apikit.lookups import has_rows, lookup_kwarg

__all__ = ["authorize_replay", "finds_objects"]


def authorize_replay(view: APIView, *, own: bool) -> bool:
    """Apply the view's queryset and object permissions, as a first run would.

    Gives False where the row is gone, as after a DELETE: then there is no object
    to ask about, and the one who did it, whose `own` answer it is, learns that
    it is done, and nothing else.

    Raises:
        Http404, PermissionDenied: the caller may not see the object any more.

    """
    if not isinstance(view, GenericAPIView) or not finds_objects(view):
        return True
    try:
        view.get_object()
    except Http404:
        if own and _is_gone(view):
            return False
        raise
    return True


def finds_objects(view: APIView) -> bool:
    """Tell whether this is a detail route of a view that has rows."""
    if not isinstance(view, GenericAPIView):
        return False
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
