import sqlite3

import pytest
from django.db import (
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)

from drf_apikit.contention import is_contention, is_outage, is_outdated


class StateError(Exception):
    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


class CodeError(Exception):
    """As of psycopg 2, which knows no code when it has lost the connection."""

    def __init__(self, pgcode: str | None) -> None:
        self.pgcode = pgcode


def raised_from(cause: Exception | None, *args: object) -> OperationalError:
    error = OperationalError(*args)
    error.__cause__ = cause
    return error


def internal(cause: Exception | None, *args: object) -> DatabaseError:
    error = InternalError(*args)
    error.__cause__ = cause
    return error


def busy(name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (raised_from(StateError("40001"), "x"), True),
        (raised_from(StateError("40P01"), "x"), True),
        (raised_from(StateError("55P03"), "x"), True),
        (raised_from(StateError("57014"), "x"), False),
        (raised_from(CodeError("40001"), "x"), True),
        (raised_from(CodeError("57014"), "x"), False),
        (raised_from(CodeError(None), "x"), False),
        (raised_from(busy("SQLITE_BUSY"), "x"), True),
        (raised_from(busy("SQLITE_BUSY_SNAPSHOT"), "x"), True),
        (raised_from(busy("SQLITE_FULL"), "x"), False),
        (raised_from(None, 1213, "Deadlock found"), True),
        (raised_from(None, 1205, "Lock wait timeout"), True),
        (raised_from(None, 2006, "gone away"), False),
        (raised_from(None), False),
    ],
    ids=str,
)
def test_which_errors_are_contention(error: OperationalError, expected: bool) -> None:
    assert is_contention(error) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (raised_from(StateError("40001"), "x"), True),
        (raised_from(StateError("40P01"), "x"), True),
        (raised_from(StateError("55P03"), "x"), False),
        (raised_from(busy("SQLITE_BUSY_SNAPSHOT"), "x"), True),
        (raised_from(busy("SQLITE_BUSY"), "x"), False),
        (raised_from(None, 1020, "Record has changed"), True),
        (raised_from(None, 1213, "Deadlock found"), True),
        (raised_from(None, 1205, "Lock wait timeout"), False),
        (InterfaceError("closed"), False),
        (ProgrammingError("40001"), False),
    ],
    ids=str,
)
def test_for_which_a_transaction_that_begins_now_can_go_on(
    error: Exception, expected: bool
) -> None:
    assert is_outdated(error) is expected
    assert not expected or is_contention(error)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (raised_from(StateError("57P01"), "terminated"), True),
        (raised_from(CodeError(None), "connection refused"), True),
        (raised_from(None), True),
        (raised_from(None, 2006, "gone away"), True),
        (raised_from(busy("SQLITE_CANTOPEN"), "x"), True),
        (raised_from(busy("SQLITE_FULL"), "x"), True),
        (InterfaceError("connection already closed"), True),
        (internal(StateError("25006"), "a read-only transaction"), True),
        (internal(CodeError("25006"), "a read-only transaction"), True),
        (internal(StateError("25P02"), "transaction is aborted"), False),
        (internal(StateError("XX000"), "cache lookup failed"), False),
        (internal(None, 1815, "Internal error"), False),
        (internal(None), False),
        (raised_from(StateError("40001"), "x"), False),
        (raised_from(busy("SQLITE_BUSY"), "x"), False),
        (raised_from(busy("SQLITE_ERROR"), "no such table"), False),
        (raised_from(None, 1054, "Unknown column"), False),
        (ProgrammingError("no such table"), False),
    ],
    ids=str,
)
def test_which_errors_are_an_outage(error: Exception, expected: bool) -> None:
    assert is_outage(error) is expected
    assert not (expected and is_contention(error))
