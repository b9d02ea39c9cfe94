"""What views declare for `HasScopes`: what refuses everybody, and what asks nobody.

No view is called: what a class declares is all that is looked at.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.urls import get_resolver
from rest_framework import permissions
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from drf_apikit.authentication import HasScopes
from drf_apikit.authentication.operators import asked_in
from drf_apikit.authentication.permissions import read_scopes, scopes_for
from drf_apikit.checks.views import RoutedView, routed_views

__all__ = ["check_scopes"]

logger = logging.getLogger(__name__)

_METHODS: Final = frozenset(name.upper() for name in APIView.http_method_names)
#: What a mapping that several view sets share may name, though one lacks it.
_ACTIONS: Final = frozenset(
    {
        "list",
        "create",
        "retrieve",
        "update",
        "partial_update",
        "destroy",
        "metadata",
    }
)
_UNASKED: Final = frozenset({"head", "options", "trace"})


def check_scopes(**_: Any) -> list[checks.CheckMessage]:
    """See that the scopes that views name can be had, and are asked for.

    `E014` what cannot be used; `E015` a method for which nothing is named, and
    `W021` where DRF has made the view; `W015` scopes that no permission asks for.
    """
    if not getattr(settings, "ROOT_URLCONF", None):
        return []
    views = list(routed_views(get_resolver(), APIView))
    found: list[checks.CheckMessage] = []
    for view in views:
        try:
            found += _look_at(view, [one for one in views if one.cls is view.cls])
        except Exception:
            # Whatever a project's own classes may raise.
            logger.exception("The scopes of %s could not be checked.", view)
    return list({(message.id, message.msg): message for message in found}.values())


def _look_at(
    view: RoutedView, routes: Sequence[RoutedView]
) -> Iterator[checks.CheckMessage]:
    listed = view.get("permission_classes")
    own = view.cls.get_permissions is not APIView.get_permissions
    if own or listed is None or not view.knows("required_scopes"):
        return
    declared = view.get("required_scopes")
    if any(asked_in(one, HasScopes) for one in listed):
        unusable = list(_unusable(view, declared, routes))
        yield from unusable or _undeclared(view, declared)
    elif declared and all(_is_of_drf(one) for one in listed):
        yield checks.Warning(
            f"{view} names required_scopes, and has no permission that asks for them.",
            hint="Add HasScopes to its permission_classes, or drop required_scopes.",
            id="drf_apikit.W015",
        )


def _unusable(
    view: RoutedView, declared: Any, routes: Sequence[RoutedView]
) -> Iterator[checks.CheckMessage]:
    """Give what is malformed, and names of nothing."""
    mapped = isinstance(declared, Mapping)
    entries = declared if mapped else {None: declared}
    known = _known(view, routes) if mapped else frozenset({None})
    for name, entry in entries.items():
        where = "required_scopes" if name is None else f"required_scopes[{name!r}]"
        if name not in known:
            names = ", ".join(sorted(map(str, known - _METHODS)))
            yield _error(
                f"{view}: {where} is for an action or method that it does not have.",
                "Methods are named in capitals"
                + (f", actions are {names}." if names else "; it has no actions."),
            )
        try:
            read_scopes(entry)
        except ValueError as error:
            yield _error(
                f"{view}: {where} cannot be used: {error}.",
                "Name a list of scopes, which are all needed, or any_of(...).",
            )


def _error(problem: str, hint: str) -> checks.CheckMessage:
    return checks.Error(problem, hint=hint, id="drf_apikit.E014")


def _known(view: RoutedView, routes: Sequence[RoutedView]) -> frozenset[Any]:
    if not issubclass(view.cls, ViewSetMixin):
        return _METHODS
    extra = view.cls.get_extra_actions()
    named = {one.__name__ for one in extra}.union(
        *(one.mapping.values() for one in extra)
    )
    routed = {name for route in routes for name in (route.actions or {}).values()}
    return _METHODS | _ACTIONS | named | routed


def _undeclared(view: RoutedView, declared: Any) -> Iterator[checks.CheckMessage]:
    """Give the methods for which nothing is named."""
    actions = view.actions
    allowed = view.get("http_method_names") or ()
    routes = {name: name for name in allowed} if actions is None else actions
    for method, handler in routes.items():
        if (
            method in _UNASKED
            or method not in allowed
            or not hasattr(view.cls, handler)
        ):
            continue
        named = None if actions is None else handler
        instance = SimpleNamespace(required_scopes=declared, action=named)
        if scopes_for(instance, method.upper()) is None:
            what = method.upper() if named is None else f"{method.upper()} ({named})"
            yield _refusing(view, what)


def _refusing(view: RoutedView, what: str) -> checks.CheckMessage:
    problem = (
        f"{view}: HasScopes refuses everybody {what}, since required_scopes names"
        " nothing for it."
    )
    if view.cls.__module__.startswith("rest_framework."):
        # A project that needs nothing but the routes of a router is in order.
        return checks.Warning(
            problem,
            hint="Name them in a subclass; [] asks for none, only for somebody. That of"
            " a root is the APIRootView of its router; SimpleRouter has no root.",
            id="drf_apikit.W021",
        )
    return checks.Error(
        problem,
        hint="Name the scopes that are needed; [] asks for none, only for somebody."
        " Behind @api_view they are set on the attribute `cls` of the function.",
        id="drf_apikit.E015",
    )


def _is_of_drf(permission: Any) -> bool:
    """Tell a permission that surely does not look at scopes."""
    module = getattr(permission, "__module__", None)
    return isinstance(permission, type) and module == permissions.__name__
