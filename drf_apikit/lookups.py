"""What a generic view says of its rows, and of the one that a URL names."""

from typing import Any

from rest_framework.generics import GenericAPIView

__all__ = ["has_rows", "lookup_kwarg"]


def has_rows(view: GenericAPIView[Any]) -> bool:
    """Tell whether a view has said which rows it is about."""
    own = type(view).get_queryset is not GenericAPIView.get_queryset
    return own or getattr(view, "queryset", None) is not None


def lookup_kwarg(view: GenericAPIView[Any]) -> str:
    """Name the argument of the URL that names the object."""
    return view.lookup_url_kwarg or view.lookup_field
