"""The query parameters that the filter backends of a view read."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db.models.constants import LOOKUP_SEP

if TYPE_CHECKING:
    # DRF imports what its settings name while it imports its views.
    from rest_framework.views import APIView

__all__ = ["belongs", "declared_parameters"]

_DJANGO_FILTER: Final = "django_filters."


def declared_parameters(view: "APIView | None", rows: Any) -> frozenset[str]:
    """Give the names of the query parameters that the view's filter backends read.

    They are asked at each request, since a filter set may depend on who asks; the
    view is not asked for its queryset, which may cost a query or not be there.
    """
    backends = getattr(view, "filter_backends", None) or ()
    return frozenset(
        name for backend in backends for name in _declared_by(backend(), view, rows)
    )


def belongs(name: str, declared: Iterable[str]) -> bool:
    """Tell whether a filter reads this parameter, maybe with a suffix (`_min`)."""
    # Not the other way round: the client decides how many parts the name has.
    return any(name == known or name.startswith(f"{known}_") for known in declared)


def _declared_by(backend: Any, view: Any, rows: Any) -> Iterator[str]:
    """Ask a backend as the OpenAPI schema does, or as django-filter wants it."""
    if hasattr(backend, "get_schema_operation_parameters"):
        for parameter in backend.get_schema_operation_parameters(view):
            yield parameter["name"]
    if hasattr(backend, "get_filterset_class"):
        yield from _filters_of(backend, view, rows)


def _filters_of(backend: Any, view: Any, rows: Any) -> Iterable[str]:
    """Give the names of a filter set; to make a class of fields would be slow."""
    filters = getattr(view, "filterset_class", None)
    fields = getattr(view, "filterset_fields", None)
    if not _is_plain(type(backend).get_filterset_class) or (
        not filters and not _are_plain(backend, fields)
    ):
        filters = None
        # Refused: the filter set is of other rows, so it does not filter these.
        with suppress(AssertionError):
            filters = backend.get_filterset_class(view, rows)
    elif not filters:
        return _names(fields)
    names: Iterable[str] = getattr(filters, "base_filters", ())
    return names


def _is_plain(given: Any) -> bool:
    """Tell whether it is django-filter's own, of which it is known what it does."""
    return str(given.__module__).startswith(_DJANGO_FILTER)


def _are_plain(backend: Any, fields: Any) -> bool:
    base = backend.filterset_base
    listed = isinstance(fields, list | tuple | Mapping)
    return listed and _is_plain(base) and not base.base_filters


def _names(fields: Any) -> Iterator[str]:
    """Name the filters of `filterset_fields` as django-filter does."""
    if not isinstance(fields, Mapping):
        yield from fields
        return
    default = getattr(settings, "FILTERS_DEFAULT_LOOKUP_EXPR", "exact")
    for field, lookups in fields.items():
        if isinstance(lookups, str):
            # All of them, and each begins so.
            yield field
            continue
        for lookup in lookups:
            name = LOOKUP_SEP.join((field, lookup))
            yield name.removesuffix(LOOKUP_SEP + default)
