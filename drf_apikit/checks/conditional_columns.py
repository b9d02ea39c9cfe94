"""Columns and related rows that a view names for its conditional requests."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from django.db.models import DateTimeField, IntegerField, Model
from rest_framework.generics import GenericAPIView

from drf_apikit.checks.views import RoutedView
from drf_apikit.conditional import (
    Aggregate,
    ConditionalMixin,
    PageDigest,
    UpdatedAt,
    Validator,
    VersionField,
)
from drf_apikit.conditional.dependencies import Dependencies, follow

__all__ = ["Fault", "paths_of", "wrong_columns", "wrong_date", "wrong_paths"]

_KINDS: Final[dict[Any, str]] = {
    None: "a column",
    DateTimeField: "a DateTimeField",
    IntegerField: "an IntegerField",
}


class Fault(NamedTuple):
    """An attribute of a view, what is wrong with it, and the remedy."""

    name: str
    problem: str
    remedy: str


class _Column(NamedTuple):
    """A name, and what of that name there must be."""

    name: Any
    kind: Any
    nullable: bool
    #: Whether it is a column of the table, and not computed for the answer.
    stored: bool


def wrong_columns(view: RoutedView, name: str, value: Validator) -> Iterator[Fault]:
    """Give what a validator names in vain."""
    rows = view.rows
    if rows is None:
        return
    for column in _wanted(view, value):
        yield from _column(view, f"{name} ({type(value).__name__})", column)
    if isinstance(value, Aggregate):
        yield from _numbers(view, name, rows.model)


def wrong_date(view: RoutedView) -> Iterator[Fault]:
    """Look at the column behind `Last-Modified`."""
    name = "last_modified_field"
    column = view.get(name)
    if view.knows(name) and column not in (None, "") and view.rows is not None:
        wanted = _Column(column, DateTimeField, nullable=True, stored=False)
        yield from _column(view, name, wanted)


def wrong_paths(view: RoutedView) -> Iterator[Fault]:
    """Look at `depends_on`, and at `variant_headers`: texts in an order."""
    for name in ("depends_on", "variant_headers"):
        if view.knows(name) and not _is_list(view.get(name)):
            problem = f"is {view.get(name)!r}, which is no list of texts"
            yield Fault(name, problem, "Put the names into a list or tuple.")
    rows = view.rows
    if rows is None:
        return
    for path in _paths(view):
        error = _error(rows.model, path)
        if error is not None:
            remedy = "Name relations of the model, as for prefetch_related()."
            yield Fault("depends_on", f"has {path!r}: {error}", remedy)


def paths_of(view: RoutedView, model: type[Model]) -> Sequence[str]:
    """Give the paths of `depends_on` that lead somewhere."""
    return [path for path in _paths(view) if _error(model, path) is None]


def _wanted(view: RoutedView, value: Validator) -> Iterator[_Column]:
    """Give the columns that a validator names."""
    writes = issubclass(view.cls, ConditionalMixin)
    if isinstance(value, VersionField):
        yield _Column(value.name, IntegerField, nullable=False, stored=writes)
    if isinstance(value, UpdatedAt):
        yield _Column(value.name, DateTimeField, nullable=False, stored=writes)
    if isinstance(value, PageDigest):
        for name in value.given:
            yield _Column(name, None, nullable=True, stored=True)
    if isinstance(value, Aggregate):
        yield _Column(value.column, IntegerField, nullable=True, stored=False)


def _numbers(view: RoutedView, name: str, model: type[Model]) -> Iterator[Fault]:
    """Look at what an `Aggregate` mixes besides its column."""
    where, remedy = f"{name} (Aggregate)", "Use PageDigest()."
    if not _has_number(model):
        problem = f"mixes numbers, and the key of {model._meta.label} is none"
        yield Fault(where, problem, remedy)
    for path in paths_of(view, model):
        if not _can_be_mixed(model, path):
            problem = f"cannot take {path!r} of depends_on"
            remedy = "Depend on foreign keys to versioned models, or use PageDigest()."
            yield Fault(where, problem, remedy)


def _column(view: RoutedView, where: str, column: _Column) -> Iterator[Fault]:
    rows: Any = view.rows
    model = rows.model
    field = _field(model, column.name)
    if field is None and not column.stored and _may_be_computed(view, column.name):
        return
    problem = _problem(field, column, model._meta.label)
    if problem is not None:
        remedy = f"Name {_KINDS[column.kind]} of {model._meta.label}"
        remedy += "." if column.nullable else " that is never NULL."
        yield Fault(where, f"names {column.name!r}, {problem}", remedy)


def _problem(field: Any, column: _Column, label: str) -> str | None:
    kind = type(field).__name__
    if field is None:
        return f"which is no column of {label}"
    if column.kind is None and field.is_relation and column.name == field.name:
        # Its value is a row, which pages that are compared do not make.
        return f"which is a {kind} with the column {field.attname!r}"
    if column.kind and not isinstance(field, column.kind):
        return f"which is a {kind}"
    if column.kind and field.primary_key:
        return f"which is a {kind} and the key"
    return "which may be NULL" if field.null and not column.nullable else None


def _field(model: type[Model], name: Any) -> Any:
    if name == "pk":
        return model._meta.pk
    fields = model._meta.concrete_fields
    return next((f for f in fields if name in (f.name, f.attname)), None)


def _may_be_computed(view: RoutedView, name: Any) -> bool:
    """Tell whether a query or the class may give rows something of this name."""
    rows: Any = view.rows
    base = GenericAPIView.get_queryset
    known = name in rows.query.annotations or view.cls.get_queryset is not base
    return isinstance(name, str) and (known or hasattr(rows.model, name))


def _has_number(model: type[Model]) -> bool:
    """Tell whether the key is a whole number, also one of another row."""
    key: Any = model._meta.pk
    while getattr(key, "is_relation", False):
        key = key.target_field
    return isinstance(key, IntegerField)


def _can_be_mixed(model: type[Model], path: str) -> bool:
    *_, (_field, last) = follow(model, path)
    return Dependencies([path]).versions(model) is not None and _has_number(last)


def _is_list(value: Any) -> bool:
    """Tell a list from a text, and from a set, which is in no order."""
    plain = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return plain and all(isinstance(item, str) for item in value)


def _paths(view: RoutedView) -> Sequence[str]:
    paths = view.get("depends_on")
    return paths if view.knows("depends_on") and _is_list(paths) else ()


def _error(model: type[Model], path: str) -> str | None:
    try:
        tuple(follow(model, path))
    except LookupError as error:
        return str(error)
    return None
