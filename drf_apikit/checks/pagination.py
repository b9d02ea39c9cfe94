"""What makes lists slow, unbounded or impossible to walk, told before a request.

No view is asked for its rows and no database is connected to: what a class
declares is all that is looked at.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.urls import get_resolver
from rest_framework import pagination
from rest_framework.generics import GenericAPIView

from drf_apikit.checks.views import (
    NoConnectionError,
    RoutedView,
    disconnected,
    routed_views,
)
from drf_apikit.conf import apikit_settings
from drf_apikit.keyset import Ordering, items_of, ordering_of, resolve_ordering
from drf_apikit.keyset.indexes import missing_index
from drf_apikit.pagination import CursorPagination, EnvelopePagination
from drf_apikit.pagination.attributes import Fault, faults

__all__ = ["check_pagination"]

logger = logging.getLogger(__name__)

_ALL: Final = "__all__"
#: What a filter backend can give names by that the rows have not ...
_NAMING: Final = (
    "filter_queryset",
    "get_default_ordering",
    "get_ordering",
    "get_valid_fields",
    "remove_invalid_fields",
)
#: ... and whose do not.
_PLAIN: Final = ("rest_framework.", "django_filters.")
#: What tells that clients choose the size, what bounds it, and what reads it.
_BOUNDS: Final = (
    (
        pagination.PageNumberPagination,
        ("page_size_query_param", "max_page_size", "get_page_size"),
    ),
    (
        pagination.CursorPagination,
        ("page_size_query_param", "max_page_size", "get_page_size"),
    ),
    (
        pagination.LimitOffsetPagination,
        ("limit_query_param", "max_limit", "get_limit"),
    ),
)


def check_pagination(**_: Any) -> list[checks.CheckMessage]:
    """See that the lists of the URL configuration can be walked, and cheaply.

    `E007` an ordering that `CursorPagination` cannot walk; `E008` an attribute of
    a paginator that cannot be used; `W005` an ordering that no index of the model
    serves; `W006` pages that clients make as large as they like, by a paginator of
    DRF's own.
    """
    # A faulty setting has an error of its own.
    if not getattr(settings, "ROOT_URLCONF", None) or apikit_settings.faults():
        return []
    found: dict[Any, checks.CheckMessage] = {}
    for view in routed_views(get_resolver()):
        for message in _look_at(view) if "list" in view.handlers else ():
            # What one remedy cures is told once, by the first view that needs it.
            found.setdefault((message.id, message.hint), message)
    return list(found.values())


def _look_at(view: RoutedView) -> list[checks.CheckMessage]:
    paginator = view.get("pagination_class")
    if not isinstance(paginator, type):
        return []
    if not issubclass(paginator, EnvelopePagination):
        return list(_unbounded(view, paginator))
    found = [_unusable(paginator, fault) for fault in faults(paginator)]
    # A way of its own to find an ordering may give any.
    reader = getattr(paginator, "get_ordering", None)
    own = reader is not CursorPagination.get_ordering
    return found if own else [*found, *_walk(view, paginator)]


def _walk(view: RoutedView, paginator: Any) -> list[checks.CheckMessage]:
    """Check the orderings of a view; one that cannot be understood is left alone."""
    try:
        rows = view.rows
        if rows is not None:
            with disconnected(rows.db):
                return list(_orderings(view, paginator, rows))
    except NoConnectionError:
        pass
    except Exception:
        # Whatever a project's own managers and expressions may raise.
        logger.exception("The pagination of %s could not be checked.", view)
    return []


def _unbounded(view: RoutedView, paginator: type) -> Iterator[checks.CheckMessage]:
    for base, (parameter, bound, reader) in _BOUNDS:
        own = issubclass(paginator, base)
        # A reader of its own may well have a bound of its own.
        if not own or getattr(paginator, reader) is not getattr(base, reader):
            continue
        if getattr(paginator, parameter) and getattr(paginator, bound) is None:
            yield checks.Warning(
                f"{view} lets clients choose how much is read at once:"
                f" {paginator.__qualname__} has {parameter} and no {bound}.",
                hint=f"Set {bound} in {paginator.__qualname__}, or use the class of"
                " that name in drf_apikit.pagination.",
                id="drf_apikit.W006",
            )


def _unusable(paginator: type, fault: Fault) -> checks.CheckMessage:
    name = f"{paginator.__module__}.{paginator.__qualname__}.{fault.name}"
    return checks.Error(
        f"{name} is {fault.value!r}.",
        hint=f"Make {name} {fault.remedy}; None asks the settings.",
        id="drf_apikit.E008",
    )


def _orderings(
    view: RoutedView, paginator: Any, rows: QuerySet[Any]
) -> Iterator[checks.CheckMessage]:
    """Check the ordering that is used without being asked for, and those offered."""
    try:
        own = ordering_of(rows)
    except ValueError as error:
        if _is_declared(view):
            yield _refused(view, "its queryset", error, "Paginate another queryset.")
        return
    default = view.get("ordering") if _backend(view) else None
    items = items_of(default or paginator.ordering or own)
    remedy = "Order by columns or expressions of numbers, times, texts or booleans."
    yield from _ordering(view, rows, items, remedy)
    remedy = "Take it out of `ordering_fields`: whoever asks for it is answered 400."
    for name in _offered(view):
        # The index that serves it serves it in both directions.
        yield from _ordering(view, rows, [name], remedy)


def _offered(view: RoutedView) -> Iterator[Any]:
    """Give the names that clients may order by, where they are listed."""
    backend = _backend(view)
    own = getattr(backend, "ordering_fields", None)
    fields = view.get("ordering_fields", own) if backend else None
    if fields is None or fields == _ALL:
        return
    for field in fields:
        yield field if isinstance(field, str) else field[0]


def _ordering(
    view: RoutedView, rows: QuerySet[Any], items: Sequence[Any], remedy: str
) -> Iterator[checks.CheckMessage]:
    wrong = [(item, error) for item in items if (error := _error(rows, item))]
    for item, error in wrong:
        if _is_declared(view) or _names_field(rows.model, item):
            yield _refused(view, repr(item), error, remedy)
    if wrong:
        return
    ordering = resolve_ordering(rows, items)
    declaration = missing_index(rows, ordering)
    if declaration is not None:
        yield _slow(view, ordering, declaration)


def _error(rows: QuerySet[Any], item: Any) -> ValueError | None:
    try:
        resolve_ordering(rows, [item])
    except ValueError as error:
        return error
    return None


def _names_field(model: type[Model], item: Any) -> bool:
    """Tell whether an item cannot be the name of an annotation."""
    name = item.lstrip("+-") if isinstance(item, str) else ""
    try:
        model._meta.get_field(name.split(LOOKUP_SEP)[0])
    except FieldDoesNotExist:
        return False
    return True


def _backend(view: RoutedView) -> Any:
    """Give the filter backend that orders, as `CursorPagination` finds it."""
    backends = view.get("filter_backends") or ()
    return next((b for b in backends if hasattr(b, "get_ordering")), None)


def _is_declared(view: RoutedView) -> bool:
    """Tell whether the rows have no other columns, and no other names for them."""
    plain = [view.cls.get_queryset is GenericAPIView.get_queryset]
    plain.append(view.cls.filter_queryset is GenericAPIView.filter_queryset)
    plain += [_is_plain(backend) for backend in view.get("filter_backends") or ()]
    return all(plain)


def _is_plain(backend: Any) -> bool:
    methods = [getattr(backend, name, None) for name in _NAMING]
    return all(m is None or m.__module__.startswith(_PLAIN) for m in methods)


def _refused(
    view: RoutedView, what: str, error: ValueError, remedy: str
) -> checks.CheckMessage:
    return checks.Error(
        f"{view} cannot be paginated by {what}: {error}.",
        hint=f"{remedy} ({view}, {what})",
        id="drf_apikit.E007",
    )


def _slow(
    view: RoutedView, ordering: Ordering, declaration: str
) -> checks.CheckMessage:
    label = ordering.model._meta.label
    terms = ", ".join(map(str, ordering.terms))
    return checks.Warning(
        f"{view} orders {label} by {terms}, and no index serves that: each page"
        " sorts all rows.",
        hint=f"Add {declaration} to Meta.indexes of {label}.",
        id="drf_apikit.W005",
    )
