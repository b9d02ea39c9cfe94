"""One term of an ordering, and how names and expressions become terms."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from django.core.exceptions import EmptyResultSet, FieldDoesNotExist, FieldError
from django.db import connections
from django.db.models import DecimalField, ExpressionWrapper, F, Field
from django.db.models.constants import LOOKUP_SEP

from drf_apikit.keyset.errors import OrderingError
from drf_apikit.keyset.items import Item, below, read_item
from drf_apikit.keyset.nullability import never_null
from drf_apikit.keyset.raw import Raw, field_of
from drf_apikit.keyset.repetition import leads_to_one
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
    accord; `empty_is_null` that it takes the empty text for NULL. `text` tells the
    term from others of the same queryset, `meaning` from those of any other.
    `column` is its name if it is a column of the model's own table, else empty.
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
    empty_is_null: bool = False
    meaning: str = ""
    column: str = ""

    def reversed(self) -> "Term":
        """Give the term that walks the other way; NULLs change ends as well."""
        return replace(
            self, descending=not self.descending, nulls_last=not self.nulls_last
        )

    def __str__(self) -> str:
        end = "last" if self.nulls_last else "first"
        nulls = "" if self.native else f" nulls {end}"
        return f"{'-' if self.descending else ''}{self.text}{nulls}"


class TermResolver:
    """Resolves what may stand in `order_by()` for one queryset."""

    def __init__(self, queryset: Any) -> None:
        self._queryset = queryset
        self._query = queryset.query
        self._model = queryset.model
        self._rows = RowNames(queryset)
        features = connections[queryset.db].features
        self._nulls_largest: bool = features.nulls_order_largest
        self._empty_is_null: bool = features.interprets_empty_strings_as_nulls
        self._raw_decimals = connections[queryset.db].vendor == "sqlite"
        self._aliases = 0

    def resolve(self, item: Any) -> Iterator[Term]:
        """Resolve one item, which as in `order_by()` can stand for several terms.

        Raises:
            OrderingError: nothing that rows can be ordered by.

        """
        for each in self._spell_out(read_item(item)):
            if isinstance(each.target, str):
                term = self._column_or_annotation(each.target)
            else:
                term = self._expression(each.target)
            yield self._place(term, each)

    def _spell_out(self, item: Item) -> Iterator[Item]:
        """Give what the item stands for: `pk` its parts, a relation its ordering."""
        path = item.target
        if not isinstance(path, str) or path in self._query.annotations:
            yield item
            return
        meant = self._meant(path, column=item.column)
        for inner in meant:
            for deeper in self._spell_out(read_item(inner)):
                yield deeper.within(item)
        if not meant:
            yield item

    def _meant(self, path: str, *, column: bool) -> list[Any]:
        *relations, last = path.split(LOOKUP_SEP)
        if len(relations) > _MAX_RELATIONS:
            raise OrderingError(f"{path!r} leads over too many relations")
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
        return [below(path, item) for item in own] or [key]

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
            term = self._term(name, field, name, nullable=nullable, known=known)
            # Another queryset may call something else by this name.
            return replace(term, meaning=self._sql(annotation, self._query))
        steps, field, transforms = self._walk(name)
        if transforms:
            return self._expression(F(name))
        if not isinstance(field, Field) or not field.concrete or field.many_to_many:
            raise OrderingError(f"{name!r} is no column of {self._model.__name__}")
        nullable = any(step.null or not step.concrete for step in steps) or field.null
        known = not steps and self._rows.has(field)
        term = self._term(name, field, name, nullable=nullable, known=known)
        return replace(term, column="" if steps else name)

    def _expression(self, expression: Any) -> Term:
        query = self._query.clone()
        try:
            resolved = expression.resolve_expression(query, allow_joins=True)
            _comparable(resolved, expression)
            _keeps_rows(query, self._query, resolved)
            field = field_of(resolved)
            text = self._sql(resolved, query)
        except FieldError as error:
            raise OrderingError(str(error)) from error
        nullable = not never_null(resolved, query)
        return self._term(expression, field, text, nullable=nullable, known=False)

    def _sql(self, expression: Any, query: Any) -> str:
        """Write an expression; two may differ in a value alone."""
        try:
            sql, values = query.get_compiler(self._queryset.db).compile(expression)
        except EmptyResultSet:
            return "nothing"
        return f"{sql} % {tuple(values)!r}" if values else str(sql)

    def _term(
        self, target: Any, field: Any, text: str, *, nullable: bool, known: bool
    ) -> Term:
        """Make a term that rows have already, or will have under a name of ours."""
        kind = field.get_internal_type()
        if kind in _UNORDERED or kind.endswith("RangeField"):
            raise OrderingError(f"{text!r} is a {kind}, which has no order")
        empty = self._empty_is_null and field.empty_strings_allowed
        attribute = self._rows.attribute(target) if self._rows.fixed else target
        if self._raw_decimals and isinstance(field, DecimalField):
            field = Raw()
        raw = isinstance(field, Raw)
        if (known or self._rows.fixed) and not raw:
            term = Term(target, attribute, None, field, text, nullable or empty)
            return replace(term, empty_is_null=empty)
        expression = F(target) if isinstance(target, str) else target
        if raw:
            expression = ExpressionWrapper(expression, output_field=field)
        alias = f"_keyset_{self._aliases}"
        self._aliases += 1
        term = Term(alias, alias, expression, field, text, nullable or empty)
        return replace(term, empty_is_null=empty)

    def _place(self, term: Term, item: Item) -> Term:
        """Give the direction, and the place of NULLs: the database's own or another.

        What cannot be NULL has no place for it; an IS NULL would cost the index.
        """
        own = item.descending != self._nulls_largest
        asked = own if item.nulls_last is None or not term.nullable else item.nulls_last
        return replace(
            term, descending=item.descending, nulls_last=asked, native=asked == own
        )


def _field(model: Any, name: str, path: str) -> Any:
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        raise OrderingError(f"{path!r} is no column of {model.__name__}") from None


def _lead_to_one(field: Any, path: str) -> None:
    to_one = field.many_to_one or field.one_to_one
    if not to_one or field.related_model is None:
        raise OrderingError(f"{path!r}: {field.name!r} does not lead to one row")


def _keeps_rows(query: Any, before: Any, expression: Any) -> None:
    """See that no join was added that gives several rows for one."""
    if expression.contains_aggregate:
        return
    for alias in query.alias_map.keys() - before.alias_map.keys():
        join = query.alias_map[alias]
        if hasattr(join, "join_field") and not leads_to_one(join):
            raise OrderingError(f"{expression!r} does not lead to one row")


def _comparable(expression: Any, name: Any) -> None:
    if getattr(expression, "contains_over_clause", False):
        raise OrderingError(f"{name!r} is a window function: pages would change it")
