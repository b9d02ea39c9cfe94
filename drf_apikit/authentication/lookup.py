"""One row by its digest, with a statement that is made once.

It is made by Django, which takes several times as long for that as a database for
the answer, and would do it for each request. `tests.benchmarks.authentication` has
the figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import connections

from drf_apikit.models import ExternalIdentity

__all__ = ["identity_with_user"]

#: Stands for the digest in the statement.
_PLACE: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class _Statement:
    """What is asked, and how values of the database become those of Python."""

    model: Any
    sql: str
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]]
    identity: Sequence[str]
    user: Sequence[str]


#: Where a connection keeps its statement: what converts values belongs to it.
_STATEMENT: Final = "_drf_apikit_identity"


def identity_with_user(digest: str, alias: str) -> ExternalIdentity | None:
    """Give the identity with that digest and its user, in one query; None without."""
    connection: Any = connections[alias]
    model: Any = get_user_model()
    statement: _Statement | None = vars(connection).get(_STATEMENT)
    if statement is None or statement.model is not model:
        statement = vars(connection)[_STATEMENT] = _made(model, connection)
    with connection.cursor() as cursor:
        cursor.execute(statement.sql, (digest,))
        row = cursor.fetchone()
    if row is None:
        return None
    values = list(row)
    for position, converters, expression in statement.converters:
        for convert in converters:
            values[position] = convert(values[position], expression, connection)
    width = len(statement.identity)
    found = ExternalIdentity.from_db(alias, statement.identity, values[:width])
    found.user = model.from_db(alias, statement.user, values[width:])
    return found


def _made(model: Any, connection: Any) -> _Statement:
    identity = [field.attname for field in ExternalIdentity._meta.concrete_fields]
    user = [field.attname for field in model._meta.concrete_fields]
    rows = ExternalIdentity.objects.using(connection.alias).filter(digest=_PLACE)
    names = [*identity, *(f"user__{name}" for name in user)]
    compiler: Any = rows.values_list(*names).query.get_compiler(connection=connection)
    sql, _ = compiler.as_sql()
    # What the first column of a row is converted by, and so on.
    converters = compiler.get_converters([column for column, *_ in compiler.select])
    listed = [(place, *converter) for place, converter in converters.items()]
    return _Statement(model, sql, listed, identity, user)
