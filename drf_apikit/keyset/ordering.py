"""An ordering, resolved once: total, typed, and aware of NULL."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist
from django.db import connections
from django.db.models import F, Field, Model, QuerySet
from django.db.models.constants import LOOKUP_SEP

__all__ = ["Ordering", "Term", "resolve_ordering"]

#: Relations that one name may lead over; `Meta.ordering` can go round in circles.
_MAX_RELATIONS: Final = 8


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

    def annotations(self) -> dict[str, F]:
        """Give what brings the values of other tables along with each row.

        Following the relations later would cost queries, and read what may have
        changed meanwhile.
        """
        return {
            _alias(index): F(term.path)
            for index, term in enumerate(self.terms)
            if LOOKUP_SEP in term.path
        }

    def values_of(self, row: Any) -> tuple[Any, ...]:
        """Read the position of a row that `seek` gave: one value for each term.

        Raises:
            ValueError: a row of `values()` that lacks a column.

        """
        return tuple(
            _read(row, term.path, _alias(index))
            for index, term in enumerate(self.terms)
        )

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
    model = queryset.model
    largest = connections[queryset.db].features.nulls_order_largest
    terms = [
        term for name in ordering for term in _terms(model, name, nulls_largest=largest)
    ]
    key = "-pk" if terms and terms[-1].descending else "pk"
    terms += _terms(model, key, nulls_largest=largest)
    return Ordering(model, tuple(_without_repeats(terms)))


def _terms(model: type[Model], name: Any, *, nulls_largest: bool) -> Iterator[Term]:
    """Resolve one name; as with `order_by()`, it can stand for several columns."""
    if not isinstance(name, str):
        raise ValueError(f"{name!r} is no name of a column")
    path = name.removeprefix("-")
    *relations, column = path.split(LOOKUP_SEP)
    if len(relations) > _MAX_RELATIONS:
        raise ValueError(f"{path!r} leads over too many relations")
    parents = list(_parents(model, relations, path))
    owner: Any = parents[-1].related_model if parents else model
    meant = _meant(owner, column, path)
    for inner in meant:
        full = LOOKUP_SEP.join([*relations, inner.removeprefix("-")])
        descending = name.startswith("-") != inner.startswith("-")
        signed = f"-{full}" if descending else full
        yield from _terms(model, signed, nulls_largest=nulls_largest)
    if not meant:
        field = _field(owner, column, path)
        descending = name.startswith("-")
        yield Term(
            path=LOOKUP_SEP.join([*(parent.name for parent in parents), field.attname]),
            descending=descending,
            nullable=any(step.null for step in (*parents, field)),
            nulls_last=descending != nulls_largest,
            kind=field.get_internal_type(),
        )


def _parents(model: Any, relations: Iterable[str], path: str) -> Iterator[Any]:
    """Follow the foreign keys that a path begins with."""
    for name in relations:
        field = _field(model, name, path)
        if not field.many_to_one and not field.one_to_one:
            raise ValueError(f"{path!r}: {name!r} does not lead to one row")
        yield field
        model = field.related_model


def _meant(model: type[Model], column: str, path: str) -> list[str]:
    """Give the names that a name stands for; none where it is a column itself.

    `pk` is each of its parts; a relation is its model's own ordering, if it has
    one.
    """
    if column == "pk":
        return [part.attname for part in model._meta.pk_fields]
    field = _field(model, column, path)
    if not field.is_relation or column == field.attname:
        return []
    own = field.related_model._meta.ordering
    if not all(isinstance(name, str) for name in own):
        raise ValueError(f"{path!r} is ordered by more than columns")
    return [_below(column, name) for name in own]


def _below(relation: str, name: str) -> str:
    sign = "-" if name.startswith("-") else ""
    return f"{sign}{relation}{LOOKUP_SEP}{name.removeprefix('-')}"


def _field(model: type[Model], name: str, path: str) -> Any:
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        raise ValueError(f"{path!r} is no column of {model.__name__}") from None
    if not isinstance(field, Field) or not field.concrete or field.many_to_many:
        raise ValueError(f"{path!r} is no column of {model.__name__}")
    return field


def _without_repeats(terms: Iterable[Term]) -> Iterator[Term]:
    """Drop a column that is named again: its rows are already told apart."""
    seen: set[str] = set()
    for term in terms:
        if term.path not in seen:
            seen.add(term.path)
            yield term


def _alias(index: int) -> str:
    return f"_keyset_{index}"


def _read(row: Any, path: str, alias: str) -> Any:
    try:
        if isinstance(row, Mapping):
            return row[path]
        return getattr(row, alias if LOOKUP_SEP in path else path)
    except (KeyError, AttributeError):
        raise ValueError(f"the rows have no {path!r}") from None
