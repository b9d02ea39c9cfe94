"""One row by its key, with a statement that is made once.

It is made by Django, which takes several times as long for that as a database for
the answer, and would do it for each request. `tests.benchmarks.authentication` has
the figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import connections
from django.db.models.expressions import RawSQL

from drf_apikit.models import ExternalIdentity

__all__ = ["identity_with_user", "user_with_key"]

#: Where a connection keeps its statements: what converts values belongs to it.
_STATEMENTS: Final = "_drf_apikit_statements"


@dataclass(frozen=True, slots=True)
class _Statement:
    """What is asked, and how values of the database become those of Python."""

    sql: str
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]]

    def row(self, key: Any, connection: Any) -> list[Any] | None:
        """Give the values of the row with that key; None without."""
        with connection.cursor() as cursor:
            cursor.execute(self.sql, (key,))
            row = cursor.fetchone()
        if row is None:
            return None
        values = list(row)
        for position, converters, expression in self.converters:
            for convert in converters:
                values[position] = convert(values[position], expression, connection)
        return values


def identity_with_user(digest: str, alias: str) -> ExternalIdentity | None:
    """Give the identity with that digest and its user, in one query; None without."""
    connection: Any = connections[alias]
    model: Any = get_user_model()
    own, users = _columns(ExternalIdentity), _columns(model)
    names = (*own, *(f"user__{name}" for name in users))
    statement = _statement(ExternalIdentity, "digest", names, connection)
    values = statement.row(digest, connection)
    if values is None:
        return None
    found = ExternalIdentity.from_db(alias, own, values[: len(own)])
    found.user = model.from_db(alias, users, values[len(own) :])
    return found


def user_with_key(model: Any, key: Any, alias: str) -> Any:
    """Give the user with that primary key, in one query; None without."""
    connection: Any = connections[alias]
    names, field = _columns(model), model._meta.pk
    statement = _statement(model, "pk", names, connection)
    value = field.get_prep_value(key)
    value = field.get_db_prep_value(value, connection, prepared=True)
    values = statement.row(value, connection)
    return None if values is None else model.from_db(alias, names, values)


def _columns(model: Any) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)


def _statement(
    model: Any, key: str, names: tuple[str, ...], connection: Any
) -> _Statement:
    """Find the statement, or have Django make it; a swapped model has another one."""
    known = vars(connection).setdefault(_STATEMENTS, {})
    statement: _Statement | None = known.get((model, names))
    if statement is None:
        statement = known[model, names] = _made(model, key, names, connection)
    return statement


def _made(model: Any, key: str, names: Sequence[str], connection: Any) -> _Statement:
    rows = model._base_manager.using(connection.alias)
    asked = rows.filter(**{key: RawSQL("%s", [None])}).values_list(*names)
    compiler: Any = asked.query.get_compiler(connection=connection)
    sql, _ = compiler.as_sql()
    # What the first column of a row is converted by, and so on.
    converters = compiler.get_converters([column for column, *_ in compiler.select])
    listed = [(place, *converter) for place, converter in converters.items()]
    return _Statement(sql, listed)
