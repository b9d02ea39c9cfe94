"""One row by its key, with a statement that is made once.

It is made by Django, which takes several times as long for that as a database for
the answer, and would do it for each request. `tests.benchmarks.authentication` has
the figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import connections
from django.db.models import QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.manager import BaseManager

from drf_apikit.models import ExternalIdentity

__all__ = ["filters_rows", "identity_with_user", "user_of_identity", "user_with_key"]

#: Where a connection keeps its statements: what converts values belongs to it.
_STATEMENTS: Final = "_drf_apikit_statements"


def filters_rows(manager: Any) -> bool:
    """Tell whether a manager may leave rows out, and other ones each time."""
    if type(manager).get_queryset is BaseManager.get_queryset:
        return False
    query = manager.all().query
    return bool(query.has_filters() or query.is_sliced or query.combinator)


def identity_with_user(digest: str, alias: str) -> ExternalIdentity | None:
    """Give the identity with that digest and its user, in one query; None without."""
    model: Any = get_user_model()
    own, users = _columns(ExternalIdentity), _columns(model)

    def rows() -> Any:
        found = ExternalIdentity.objects.filter(digest=_PLACE)
        return found.values_list(*own, *(f"user__{name}" for name in users))

    values = _row("identity", model, rows, (digest,), alias)
    if values is None:
        return None
    found = ExternalIdentity.from_db(alias, own, values[: len(own)])
    found.user = model.from_db(alias, users, values[len(own) :])
    return found


def user_of_identity(model: Any, places: tuple[str, str, str], alias: str) -> Any:
    """Give the user of an identity, in one query; None without.

    `places` are the digest, the issuer and the subject.
    """
    names = _columns(model)

    def rows() -> Any:
        same = {"digest": _PLACE, "issuer": _PLACE, "subject": _PLACE}
        keys = ExternalIdentity.objects.filter(**same).values("user_id")[:1]
        return QuerySet(model).filter(pk=Subquery(keys))

    values = _row("user", model, rows, places, alias)
    return None if values is None else model.from_db(alias, names, values)


def user_with_key(model: Any, key: Any, alias: str) -> Any:
    """Give the user with that primary key, in one query; None without."""
    names, field = _columns(model), model._meta.pk

    def rows() -> Any:
        return QuerySet(model).filter(pk=_PLACE)

    value = field.get_prep_value(key)
    value = field.get_db_prep_value(value, connections[alias], prepared=True)
    values = _row("key", model, rows, (value,), alias)
    return None if values is None else model.from_db(alias, names, values)


#: Stands for a value in a statement.
_PLACE: Final = RawSQL("%s", [None])


@dataclass(frozen=True, slots=True)
class _Statement:
    """What is asked, and how values of the database become those of Python."""

    sql: str
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]]


@cache
def _columns(model: Any) -> tuple[str, ...]:
    """Name the columns in the order in which Django asks for them."""
    return tuple(field.attname for field in model._meta.concrete_fields)


def _row(
    name: str, model: Any, rows: Callable[[], Any], places: Sequence[Any], alias: str
) -> list[Any] | None:
    """Give the values of the first row, with values for the places; None without."""
    connection: Any = connections[alias]
    # A user model that is swapped has statements of its own.
    known = vars(connection).setdefault(_STATEMENTS, {})
    statement: _Statement | None = known.get((name, model))
    if statement is None:
        statement = known[name, model] = _made(rows(), connection)
    with connection.cursor() as cursor:
        cursor.execute(statement.sql, places)
        row = cursor.fetchone()
    if row is None:
        return None
    values = list(row)
    for position, converters, expression in statement.converters:
        for convert in converters:
            values[position] = convert(values[position], expression, connection)
    return values


def _made(rows: Any, connection: Any) -> _Statement:
    # A model's own order says nothing of one row.
    query = rows.order_by().using(connection.alias).query
    compiler: Any = query.get_compiler(connection=connection)
    sql, _ = compiler.as_sql()
    # What the first column of a row is converted by, and so on.
    converters = compiler.get_converters([column for column, *_ in compiler.select])
    listed = [(place, *converter) for place, converter in converters.items()]
    return _Statement(sql, listed)
