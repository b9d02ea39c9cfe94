"""Which routes are those of one object."""

import functools
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Model
from rest_framework.generics import GenericAPIView
from rest_framework.mixins import (
    CreateModelMixin,
    DestroyModelMixin,
    ListModelMixin,
    RetrieveModelMixin,
    UpdateModelMixin,
)

from drf_apikit.lookups import has_rows, lookup_kwarg

if TYPE_CHECKING:
    from drf_apikit.conditional.get import ConditionalGetMixin

__all__ = ["is_detail", "model_of"]

_MANY: Final = (ListModelMixin, CreateModelMixin)
_ONE: Final = (RetrieveModelMixin, UpdateModelMixin, DestroyModelMixin)
_OF_ONE: Final = frozenset({"retrieve", "update", "partial_update", "destroy"})


def is_detail(view: "ConditionalGetMixin") -> bool:
    """Tell whether the route of a view is that of one object.

    So it is where the URL names the object, and where a view without lists finds
    it in a way of its own, such as the profile of who asks.
    """
    action = getattr(view, "action", None)
    many = isinstance(view, _MANY) and not isinstance(view, _ONE)
    if action in {"list", "create"} or (action is None and many):
        # What the URL names is then the parent of the list.
        return False
    if lookup_kwarg(view) in view.kwargs:
        return True
    if not _finds_objects(type(view)):
        return False
    return action in _OF_ONE if action else not isinstance(view, _MANY)


def model_of(view: "ConditionalGetMixin") -> type[Model] | None:
    """Give the model whose rows a view says that it has, if it says so."""
    if not has_rows(view):
        return None
    model: type[Model] | None = getattr(view.get_queryset(), "model", None)
    return model


@functools.cache
def _finds_objects(view: type["GenericAPIView[Any]"]) -> bool:
    """Tell whether somebody else than DRF says what the object is."""
    return any(
        "get_object" in vars(base) and base is not GenericAPIView for base in view.mro()
    )
