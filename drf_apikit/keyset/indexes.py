"""Whether an index of the model serves an ordering, and which one would.

By what the models declare, without a connection: system checks run where there
is no database.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from inspect import getattr_static
from typing import Any, Final

from django.core.exceptions import FieldError
from django.db import connections
from django.db.models import (
    ExpressionWrapper,
    F,
    Index,
    QuerySet,
    UniqueConstraint,
)
from django.db.models.expressions import Col, OrderBy
from django.db.models.sql import Query

from drf_apikit.keyset.ordering import Ordering
from drf_apikit.keyset.terms import Term

__all__ = ["missing_index"]

#: `Index.suffix` of those that are B-trees; the others have no order to read.
_BTREES: Final = frozenset({"idx", "btree"})
#: Longest name that all databases take, without the digest and the suffix.
_MAX_NAME: Final = 19

#: What an index has at one place, and whether the largest value comes first.
_Key = tuple[Any, bool]


def missing_index(queryset: QuerySet[Any], ordering: Ordering) -> str | None:
    """Give the declaration of the index that an ordering lacks; None if it has one.

    None as well where no index could serve it: terms of other tables, subqueries,
    grouped rows, tables that are not managed here, mixed directions where indexes
    have none, and NULLs out of their place behind the first term.
    """
    indexes = _Indexes(queryset)
    wanted = indexes.wanted_by(ordering.terms)
    if wanted is None or any(_serves(keys, wanted) for keys in indexes.declared()):
        return None
    return indexes.declaration(ordering.terms, wanted)


def _serves(keys: Sequence[_Key], wanted: Sequence[_Key]) -> bool:
    """Compare; an index can be read backwards, but then all of it."""
    found = keys[: len(wanted)]
    if [subject for subject, _ in found] != [subject for subject, _ in wanted]:
        return False
    pairs = zip(found, wanted, strict=True)
    return len({mine[1] == other[1] for mine, other in pairs}) == 1


class _Indexes:
    """The indexes of a queryset's own table, and what an ordering wants of them."""

    def __init__(self, queryset: Any) -> None:
        connection = connections[queryset.db]
        features = connection.features
        self._connection = connection
        self._query = queryset.query
        # A proxy has neither a table nor indexes of its own.
        self._model = queryset.model._meta.concrete_model
        self._options = self._model._meta
        self._compiler = self._query.get_compiler(queryset.db)
        self._nulls_largest = features.nulls_order_largest
        # MySQL's class would ask the server; those that Django supports have them.
        directed = getattr_static(type(features), "supports_index_column_ordering")
        self._directed = directed is not False

    def wanted_by(self, terms: Sequence[Term]) -> list[_Key] | None:
        """Give what an index has to have; None if there can be no such index."""
        if not self._options.managed or self._query.group_by or self._query.distinct:
            return None
        keys = [
            (self._subject(_meant(term), self._query.clone()), term.descending)
            for term in terms
        ]
        if any(subject is None for subject, _ in keys):
            return None
        # The planner takes the NULLs of the first term apart, and asks for the rest
        # in the database's own order: an index that has them elsewhere, as
        # PostgreSQL's can, would serve neither. Behind that it cannot do so.
        if not all(term.native for term in terms[1:]):
            return None
        mixed = len({descending for _, descending in keys}) > 1
        return None if mixed and not self._directed else keys

    def declared(self) -> Iterator[list[_Key]]:
        """Give the keys of each index, with those that the database adds."""
        tail = self._tail()
        for items in self._declarations():
            keys = list(self._keys(items))
            if len(keys) == len(items):
                present = [subject for subject, _ in keys]
                keys += [key for key in tail if key[0] not in present]
            yield keys

    def declaration(self, terms: Sequence[Term], wanted: Sequence[_Key]) -> str:
        """Write an index as it stands in `Meta.indexes`."""
        backwards = all(descending for _, descending in wanted)
        keys = [(subject, down and not backwards) for subject, down in wanted]
        if all(isinstance(subject, str) for subject, _ in keys):
            names = [f"-{subject}" if down else subject for subject, down in keys]
            return f"models.Index(fields={json.dumps(names)})"
        parts = [
            self._part(term, subject, descending=down)
            for term, (subject, down) in zip(terms, keys, strict=True)
        ]
        text = ", ".join(parts)
        digest = hashlib.blake2b(text.encode(), digest_size=3).hexdigest()
        name = f"{self._options.model_name[:_MAX_NAME]}_{digest}_idx"
        return f'models.Index({text}, name="{name}")'

    def _tail(self) -> list[_Key]:
        """Give what stands at the end of every index without being declared.

        In InnoDB and SQLite that is the primary key, which is how they find the
        row; in SQLite only an integer one. PostgreSQL has the place of the row
        there, in no order: rows that are equal in all columns of an index would
        have to be read and sorted, however many they are.
        """
        parts = self._options.pk_fields
        kept = self._connection.vendor == "mysql"
        if self._connection.vendor == "sqlite" and len(parts) == 1:
            kept = parts[0].db_type(self._connection) == "integer"
        return [(part.name, False) for part in parts if kept]

    def _declarations(self) -> Iterator[list[Any]]:
        """Give the columns and expressions of all indexes of whole B-trees."""
        options = self._options
        yield [F(part.name) for part in options.pk_fields]
        for field in options.local_concrete_fields:
            if field.db_index or field.unique:
                yield [F(field.name)]
        for names in options.unique_together:
            yield [F(name) for name in names]
        for constraint in options.constraints:
            if isinstance(constraint, UniqueConstraint) and _whole(constraint):
                yield [*map(F, constraint.fields), *constraint.expressions]
        for index in options.indexes:
            if index.suffix in _BTREES and _whole(index):
                yield _columns(index)

    def _keys(self, items: Iterable[Any]) -> Iterator[_Key]:
        """Resolve the items of an index, as far as they are of any use."""
        for item in items:
            order = item if isinstance(item, OrderBy) else OrderBy(item)
            own = order.descending != self._nulls_largest
            elsewhere = order.nulls_first if own else order.nulls_last
            subject = self._subject(order.expression, Query(self._model))
            if subject is None or elsewhere:
                return
            yield subject, order.descending and self._directed

    def _subject(self, expression: Any, query: Any) -> Any:
        """Tell a column by its name, another expression by its SQL.

        None if it is made of more or less than columns of the model's table.
        """
        try:
            resolved = expression.resolve_expression(query, allow_joins=True)
        except FieldError:
            return None
        if isinstance(resolved, Col):
            return resolved.target.name if self._is_own(resolved) else None
        parts = list(resolved.flatten())
        columns = [part for part in parts if isinstance(part, Col)]
        foreign = any(isinstance(part, Query) for part in parts)
        if foreign or not columns or not all(map(self._is_own, columns)):
            return None
        sql, parameters = self._compiler.compile(resolved)
        return sql, tuple(parameters)

    def _is_own(self, column: Any) -> bool:
        own: bool = column.alias == self._options.db_table
        return own

    def _part(self, term: Term, subject: Any, *, descending: bool) -> str:
        if isinstance(subject, str):
            text = json.dumps(subject)
            return f"F({text}).desc()" if descending else text
        meant = _meant(term)
        if isinstance(meant, F):
            meant = self._query.annotations.get(vars(meant)["name"], meant)
        return f"{_source(meant)}.desc()" if descending else _source(meant)


def _whole(index: Any) -> bool:
    """Tell whether an index has all rows, in the order of their values."""
    return index.condition is None and not index.opclasses


def _columns(index: Index) -> list[Any]:
    fields = [OrderBy(F(name), descending=bool(d)) for name, d in index.fields_orders]
    return [*fields, *index.expressions]


def _meant(term: Term) -> Any:
    """Give what a term stands for, without what only makes it readable."""
    expression = term.expression or F(term.name)
    if isinstance(expression, ExpressionWrapper):
        return expression.expression
    return expression


def _source(value: Any) -> str:
    """Write an expression as Python."""
    if isinstance(value, str):
        return json.dumps(value)
    if not hasattr(value, "deconstruct"):
        return repr(value)
    # A field gives its name as well, before the others.
    *_, path, arguments, named = value.deconstruct()
    given = [_source(argument) for argument in arguments]
    given += [f"{name}={_source(argument)}" for name, argument in named.items()]
    return f"{path.rpartition('.')[2]}({', '.join(given)})"
