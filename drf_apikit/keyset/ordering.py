"""An ordering, resolved once: total, typed, and aware of NULL."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import connections
from django.db.models import Field, Model, QuerySet

__all__ = ["Ordering", "Term", "resolve_ordering"]


@dataclass(frozen=True, slots=True)
class Term:
    """One column of an ordering.

    `path` is a lookup path such as `account__name`; `nulls_last` says where
    the database puts NULL in this direction, and matters if `nullable`.
    """

    path: str
    descending: bool
    nullable: bool
    nulls_last: bool
    kind: str

    def reversed(self) -> "Term":
        """Give the term that walks the other way; NULLs change ends as well."""
        return Term(
            self.path,
            not self.descending,
            self.nullable,
            not self.nulls_last,
            self.kind,
        )

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.path}"


@dataclass(frozen=True, slots=True)
class Ordering:
    """A total ordering of one model's rows."""

    model: type[Model]
    terms: tuple[Term, ...]

    def reversed(self) -> "Ordering":
        """Give the ordering from the last row to the first."""
        return Ordering(self.model, tuple(term.reversed() for term in self.terms))

    def values_of(self, row: Model) -> tuple[Any, ...]:
        """Read the position of a row: one value for each term."""
        return tuple(_follow(row, term.path) for term in self.terms)

    def fingerprint(self) -> str:
        """Tell this ordering from any other, also after a column changed type."""
        terms = ",".join(f"{term}:{term.kind}:{term.nullable}" for term in self.terms)
        return f"{self.model._meta.label_lower}|{terms}"


def resolve_ordering(queryset: QuerySet[Any], ordering: Iterable[Any]) -> Ordering:
    """Resolve names such as `-created` and make the ordering total.

    The primary key is appended, all parts of a composite one, where it is not
    there yet. NULLs stay where the database puts them of its own accord.

    Raises:
        ValueError: a name that is no column of the model or of a related one.

    """
    largest = connections[queryset.db].features.nulls_order_largest
    terms = [_term(queryset.model, name, nulls_largest=largest) for name in ordering]
    direction = "-" if terms and terms[-1].descending else ""
    for field in queryset.model._meta.pk_fields:
        if field.attname not in {term.path for term in terms}:
            name = f"{direction}{field.attname}"
            terms.append(_term(queryset.model, name, nulls_largest=largest))
    return Ordering(queryset.model, tuple(_without_repeats(terms)))


def _term(model: type[Model], name: Any, *, nulls_largest: bool) -> Term:
    if not isinstance(name, str):
        raise ValueError(f"{name!r} is no name of a column")
    path = name.removeprefix("-")
    fields = list(_fields(model, path))
    descending = name.startswith("-")
    parents = [step.name for step in fields[:-1]]
    return Term(
        path="__".join([*parents, fields[-1].attname]),
        descending=descending,
        nullable=any(field.null for field in fields),
        nulls_last=descending != nulls_largest,
        kind=fields[-1].get_internal_type(),
    )


def _fields(model: type[Model], path: str) -> Iterator["Field[Any, Any]"]:
    """Follow a path over foreign keys to its column."""
    *relations, column = path.split("__")
    current: Any = model
    for name in relations:
        field = _field(current, name, path)
        if not field.many_to_one and not field.one_to_one:
            raise ValueError(f"{path!r}: {name!r} does not lead to one row")
        yield field
        current = field.related_model
    yield _field(current, column, path)


def _field(model: type[Model], name: str, path: str) -> Any:
    if name == "pk" and len(model._meta.pk_fields) == 1:
        return model._meta.pk
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        raise ValueError(f"{path!r} is no column of {model.__name__}") from None
    if not isinstance(field, Field) or field.many_to_many:
        raise ValueError(f"{path!r} is no column of {model.__name__}")
    return field


def _without_repeats(terms: Iterable[Term]) -> Iterator[Term]:
    """Drop a column that is named again: its rows are already told apart."""
    seen: set[str] = set()
    for term in terms:
        if term.path not in seen:
            seen.add(term.path)
            yield term


def _follow(row: Any, path: str) -> Any:
    """Read a value over relations; a missing row on the way counts as NULL."""
    for name in path.split("__"):
        row = getattr(row, name, None)
    return row
