"""A time limit for single statements, on each database in its own words."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import Any, Final

from django.db import OperationalError, connections, transaction

__all__ = ["StatementTimeoutError", "statement_timeout"]

#: PostgreSQL's query_canceled; MariaDB's and MySQL's own numbers.
_CANCELLED: Final = "57014"
_TIMED_OUT: Final = frozenset({1969, 3024})
#: Steps of SQLite's virtual machine between two looks at the clock.
_STEPS: Final = 10_000


class StatementTimeoutError(Exception):
    """The database gave up in time."""


@contextmanager
def statement_timeout(milliseconds: int, using: str) -> Iterator[None]:
    """Let no SELECT within run longer, on the connection of that alias.

    PostgreSQL: `statement_timeout` within a savepoint, or a transaction where
    there is none, which is rolled back whatever happens: read only. MariaDB:
    SET STATEMENT max_statement_time. MySQL: the hint MAX_EXECUTION_TIME. SQLite:
    its progress handler. On any other database there is no limit.

    Raises:
        StatementTimeoutError: the limit was reached. A transaction that was open
            before goes on.

    """
    connection = connections[using]
    limit = _LIMITS.get(connection.vendor)
    try:
        if limit is None:
            yield
            return
        with limit(connection, milliseconds):
            yield
    except OperationalError as error:
        if _is_timeout(error.__cause__):
            raise StatementTimeoutError from error
        raise


@contextmanager
def _postgresql(connection: Any, milliseconds: int) -> Iterator[None]:
    with transaction.atomic(using=connection.alias):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)]
            )
        yield
        # Nothing was written, and what was set is undone.
        transaction.set_rollback(True, using=connection.alias)


def _mysql(connection: Any, milliseconds: int) -> AbstractContextManager[None]:
    if connection.mysql_is_mariadb:
        begin = f"SET STATEMENT max_statement_time={milliseconds / 1000} FOR SELECT"
    else:
        begin = f"SELECT /*+ MAX_EXECUTION_TIME({milliseconds}) */"

    def limited(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        return execute(sql.replace("SELECT", begin, 1), params, many, context)

    wrapper: AbstractContextManager[None] = connection.execute_wrapper(limited)
    return wrapper


@contextmanager
def _sqlite(connection: Any, milliseconds: int) -> Iterator[None]:
    connection.ensure_connection()
    deadline = monotonic() + milliseconds / 1000
    connection.connection.set_progress_handler(lambda: monotonic() > deadline, _STEPS)
    try:
        yield
    finally:
        connection.connection.set_progress_handler(None, 0)


_LIMITS: Final[Mapping[str, Callable[[Any, int], AbstractContextManager[None]]]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "sqlite": _sqlite,
}


def _is_timeout(cause: BaseException | None) -> bool:
    # psycopg 3 and 2 call it differently.
    codes = (getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None))
    return (
        _CANCELLED in codes
        or getattr(cause, "sqlite_errorname", None) == "SQLITE_INTERRUPT"
        or bool(_TIMED_OUT.intersection(getattr(cause, "args", ())[:1]))
    )
