"""One term of an ordering, and how names and expressions become terms."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db import connections
from django.db.models import DecimalField, ExpressionWrapper, F, Field
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import BaseExpression, OrderBy

from drf_apikit.keyset.nullability import never_null
from drf_apikit.keyset.raw import Raw, field_of
from drf_apikit.keyset.rows import RowNames

__all__ = ["Term", "TermResolver"]

#: Relations that one name may lead over; `Meta.ordering` can go round in circles.
_MAX_RELATIONS: Final = 8
#: Fields whose values have no order that a position could hold.
_UNORDERED: Final = frozenset({"JSONField", "ArrayField", "HStoreField"})


@dataclass(frozen=True, slots=True)
class Term:
    """One column of an ordering.

    `name` is what `filter()` and `order_by()` call it, `attribute` where a row
    has its value. `expression` is what `name` stands for if the rows have to be
    annotated with it, else None. `nulls_last` says where NULLs are, which
    matters if `nullable`; `native` that the database puts them there of its own
    accord. `text` tells the term from any other.
    """

    name: str
    attribute: str
    expression: Any
    field: Any
    text: str
    nullable: bool
    descending: bool = False
    nulls_last: bool = False
    native: bool = True

    def reversed(self) -> "Term":
        """Give the term that walks the other way; NULLs change ends as well."""
        return replace(
            self, descending=not self.descending, nulls_last=not self.nulls_last
        )

    def __str__(self) -> str:
        end = "last" if self.nulls_last else "first"
        nulls = "" if self.native else f" nulls {end}"
        return f"{'-' if self.descending else ''}{self.text}{nulls}"


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for: a target, a direction, and a place for NULL or None.

    `column`: a relation is its own column, as in F(), not what its model is
    ordered by.
    """

    target: Any
    descending: bool = False
    nulls_last: bool | None = None
    column: bool = False

    def within(self, outer: "_Wish") -> "_Wish":
        """Give the wish as a part of another one, which may turn it round."""
        nulls_last = outer.nulls_last
        if self.nulls_last is not None:
            nulls_last = self.nulls_last != outer.descending
        return _Wish(self.target, self.descending != outer.descending, nulls_last)


class TermResolver:
    """Resolves what may stand in `order_by()` for one queryset."""

    def __init__(self, queryset: Any) -> None:
        self._queryset = queryset
        self._query = queryset.query
        self._model = queryset.model
        self._rows = RowNames(queryset)
        features = connections[queryset.db].features
        self._nulls_largest: bool = features.nulls_order_largest
        self._raw_decimals = connections[queryset.db].vendor == "sqlite"
        self._aliases = 0

    def resolve(self, item: Any) -> Iterator[Term]:
        """Resolve one item, which as in `order_by()` can stand for several terms.

        Raises:
            ValueError: nothing that rows can be ordered by.

        """
        for wish in self._spell_out(_wish(item)):
            if isinstance(wish.target, str):
                term = self._column_or_annotation(wish.target)
            else:
                term = self._expression(wish.target)
            yield self._place(term, wish)

    def _spell_out(self, wish: _Wish) -> Iterator[_Wish]:
        """Give what the wish stands for: `pk` its parts, a relation its ordering."""
        path = wish.target
        if not isinstance(path, str) or path in self._query.annotations:
            yield wish
            return
        meant = self._meant(path, column=wish.column)
        for inner in meant:
            for deeper in self._spell_out(_wish(inner)):
                yield deeper.within(wish)
        if not meant:
            yield wish

    def _meant(self, path: str, *, column: bool) -> list[Any]:
        *relations, last = path.split(LOOKUP_SEP)
        if len(relations) > _MAX_RELATIONS:
            raise ValueError(f"{path!r} leads over too many relations")
        steps, field, transforms = self._walk(path)
        prefix = "".join(f"{name}{LOOKUP_SEP}" for name in relations)
        owner = steps[-1].related_model if steps else self._model
        if last == "pk" and not transforms:
            return [prefix + part.attname for part in owner._meta.pk_fields]
        if not field.is_relation or transforms or last == getattr(field, "attname", ""):
            return []
        if not field.concrete:
            _lead_to_one(field, path)
        own = () if column else field.related_model._meta.ordering
        # A relation that is held by the other table is ordered by its key.
        key = prefix + field.attname if field.concrete else f"{path}{LOOKUP_SEP}pk"
        return [_below(path, item) for item in own] or [key]

    def _walk(self, path: str) -> tuple[list[Any], Any, list[str]]:
        """Follow a path: the relations, the field, and the transforms behind it."""
        model: Any = self._model
        steps: list[Any] = []
        names = path.split(LOOKUP_SEP)
        for index, name in enumerate(names):
            field = model._meta.pk if name == "pk" else _field(model, name, path)
            last = index == len(names) - 1
            if last or not field.is_relation:
                return steps, field, names[index + 1 :]
            _lead_to_one(field, path)
            steps.append(field)
            model = field.related_model
        raise AssertionError(path)  # pragma: no cover - a path has a last name

    def _column_or_annotation(self, name: str) -> Term:
        annotation = self._query.annotations.get(name)
        if annotation is not None:
            _comparable(annotation, name)
            known = name in self._query.annotation_select
            nullable = not never_null(annotation, self._query)
            field = field_of(annotation)
            return self._term(name, field, name, nullable=nullable, known=known)
        steps, field, transforms = self._walk(name)
        if transforms:
            return self._expression(F(name))
        if not isinstance(field, Field) or not field.concrete or field.many_to_many:
            raise ValueError(f"{name!r} is no column of {self._model.__name__}")
        nullable = any(step.null or not step.concrete for step in steps) or field.null
        known = not steps and self._rows.has(field)
        return self._term(name, field, name, nullable=nullable, known=known)

    def _expression(self, expression: Any) -> Term:
        query = self._query.clone()
        try:
            resolved = expression.resolve_expression(query, allow_joins=True)
            _comparable(resolved, expression)
            _keeps_rows(query, self._query, resolved)
            field = field_of(resolved)
            compiler = query.get_compiler(self._queryset.db)
            sql, parameters = compiler.compile(resolved)
        except FieldError as error:
            raise ValueError(str(error)) from error
        # Two expressions may differ in a value alone.
        text = f"{sql} % {tuple(parameters)!r}" if parameters else sql
        nullable = not never_null(resolved, query)
        return self._term(expression, field, text, nullable=nullable, known=False)

    def _term(
        self, target: Any, field: Any, text: str, *, nullable: bool, known: bool
    ) -> Term:
        """Make a term that rows have already, or will have under a name of ours."""
        kind = field.get_internal_type()
        if kind in _UNORDERED or kind.endswith("RangeField"):
            raise ValueError(f"{text!r} is a {kind}, which has no order")
        attribute = self._rows.attribute(target) if self._rows.fixed else target
        if self._raw_decimals and isinstance(field, DecimalField):
            field = Raw()
        raw = isinstance(field, Raw)
        if (known or self._rows.fixed) and not raw:
            return Term(target, attribute, None, field, text, nullable)
        expression = F(target) if isinstance(target, str) else target
        if raw:
            expression = ExpressionWrapper(expression, output_field=field)
        alias = f"_keyset_{self._aliases}"
        self._aliases += 1
        return Term(alias, alias, expression, field, text, nullable)

    def _place(self, term: Term, wish: _Wish) -> Term:
        """Give the direction, and the place of NULLs: the database's own or another.

        What cannot be NULL has no place for it; an IS NULL would cost the index.
        """
        own = wish.descending != self._nulls_largest
        asked = own if wish.nulls_last is None or not term.nullable else wish.nulls_last
        return replace(
            term, descending=wish.descending, nulls_last=asked, native=asked == own
        )


def _wish(item: Any) -> _Wish:
    if isinstance(item, OrderBy):
        nulls_last = True if item.nulls_last else False if item.nulls_first else None
        inner = _wish(item.expression)
        if inner.nulls_last is not None or inner.descending:
            raise ValueError(f"{item!r} has two directions")
        return replace(inner, descending=item.descending, nulls_last=nulls_last)
    if isinstance(item, F):
        name: Any = vars(item)["name"]
        return _Wish(name, column=True)
    if isinstance(item, str) and item.lstrip("+-"):
        if item == "?":
            raise ValueError("a random ordering has no positions")
        return _Wish(item.lstrip("+-"), item.startswith("-"))
    if isinstance(item, BaseExpression):
        return _Wish(item)
    raise ValueError(f"{item!r} is no name of a column")


def _below(relation: str, item: Any) -> Any:
    """Give an item of a related model's ordering as seen from here."""
    prefix = f"{relation}{LOOKUP_SEP}"
    if isinstance(item, str):
        return f"-{prefix}{item[1:]}" if item.startswith("-") else prefix + item
    ordering = item if isinstance(item, OrderBy) else item.asc()
    return ordering.prefix_references(prefix)


def _field(model: Any, name: str, path: str) -> Any:
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        raise ValueError(f"{path!r} is no column of {model.__name__}") from None


def _lead_to_one(field: Any, path: str) -> None:
    to_one = field.many_to_one or field.one_to_one
    if not to_one or field.related_model is None:
        raise ValueError(f"{path!r}: {field.name!r} does not lead to one row")


def _keeps_rows(query: Any, before: Any, expression: Any) -> None:
    """See that no join was added that gives several rows for one."""
    if expression.contains_aggregate:
        return
    for alias in query.alias_map.keys() - before.alias_map.keys():
        field = getattr(query.alias_map[alias], "join_field", None)
        if field is not None:
            _lead_to_one(field, repr(expression))


def _comparable(expression: Any, name: Any) -> None:
    if getattr(expression, "contains_over_clause", False):
        raise ValueError(f"{name!r} is a window function: pages would change it")
