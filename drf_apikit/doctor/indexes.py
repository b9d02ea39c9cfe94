"""Which indexes of a model a database has not got, by introspection."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from django.db.models import Index, Model, UniqueConstraint

__all__ = ["absent", "invalid"]

Found = Mapping[str, Mapping[str, Any]]

_PUBLIC: Final = (
    "SELECT index.relname FROM pg_index"
    " JOIN pg_class AS index ON index.oid = pg_index.indexrelid"
    " JOIN pg_class AS own ON own.oid = pg_index.indrelid"
    " WHERE NOT pg_index.indisvalid AND own.relname = ANY(%s)"
    " AND pg_table_is_visible(own.oid) ORDER BY 1"
)


def absent(connection: Any, model: type[Model]) -> Iterator[str]:
    """Name the indexes and unique constraints that a table has not.

    What a database cannot have, Django does not make there.
    """
    table = model._meta.db_table
    if connection.vendor == "sqlite":
        # To find out Django would take the lock for writers, and maybe wait for it.
        vars(connection.features).setdefault("supports_json_field", True)
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
    for kind, has, declared in (
        ("unique", _has_unique, _unique(model)),
        ("index", _has_index, _plain(model)),
    ):
        for columns in declared:
            if not has(found, columns):
                yield f"{kind} {table}({', '.join(columns)})"
    yield from _named(connection, model, found)


def invalid(connection: Any, tables: Iterable[str]) -> list[str]:
    """Name the indexes that PostgreSQL keeps and does not use."""
    with connection.cursor() as cursor:
        cursor.execute(_PUBLIC, [list(tables)])
        return [str(name) for (name,) in cursor.fetchall()]


def _unique(model: type[Model]) -> Iterator[list[str]]:
    """Give the columns of keys and of what is declared to be unique."""
    fields: Any = model._meta.local_concrete_fields
    yield [str(part.column) for part in model._meta.pk_fields]
    for field in fields:
        if field.unique and not field.primary_key:
            yield [field.column]
    for names in model._meta.unique_together:
        yield _columns(model, names)


def _plain(model: type[Model]) -> Iterator[list[str]]:
    """Give the columns of other indexes without a name."""
    fields: Any = model._meta.local_concrete_fields
    for field in fields:
        if field.db_index and not field.unique:
            yield [field.column]


def _named(connection: Any, model: type[Model], found: Found) -> Iterator[str]:
    """Look for what has a name, by that or by its columns."""
    options = model._meta
    for constraint in options.constraints:
        if isinstance(constraint, UniqueConstraint) and _is_made(
            connection, constraint, expressions=bool(constraint.expressions)
        ):
            columns = _columns(model, constraint.fields)
            whole = columns and constraint.condition is None
            if constraint.name not in found and not (
                whole and _has_unique(found, columns)
            ):
                yield f"constraint {constraint.name}"
    for index in options.indexes:
        if _is_made(connection, index, expressions=index.contains_expressions):
            columns = _columns(model, [name for name, _ in index.fields_orders])
            whole = columns and index.condition is None
            if index.name not in found and not (whole and _has_index(found, columns)):
                yield f"index {index.name}"


def _is_made(
    connection: Any, declared: Index | UniqueConstraint, *, expressions: bool
) -> bool:
    """Tell whether Django makes it in this database."""
    needed = [
        (declared.condition is not None, "supports_partial_indexes"),
        (expressions, "supports_expression_indexes"),
    ]
    if isinstance(declared, UniqueConstraint):
        needed += [
            (bool(vars(declared)["include"]), "supports_covering_indexes"),
            (declared.deferrable is not None, "supports_deferrable_unique_constraints"),
            (
                declared.nulls_distinct is not None,
                "supports_nulls_distinct_unique_constraints",
            ),
        ]
    features = connection.features
    return all(getattr(features, name) for wanted, name in needed if wanted)


def _columns(model: type[Model], names: Sequence[str]) -> list[str]:
    fields: Any = map(model._meta.get_field, names)
    return [field.column for field in fields]


def _has_unique(found: Found, columns: Sequence[str]) -> bool:
    return any(
        (one["unique"] or one["primary_key"]) and list(one["columns"]) == list(columns)
        for one in found.values()
    )


def _has_index(found: Found, columns: Sequence[str]) -> bool:
    """Tell whether there is one that begins with these columns."""
    return any(
        (one["index"] or one["unique"] or one["primary_key"])
        and list(one["columns"])[: len(columns)] == list(columns)
        for one in found.values()
    )
