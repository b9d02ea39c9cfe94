"""How many statements a call sends, and how often it waits for a server."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any, Final

import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext

__all__ = ["Statement", "print_costs", "statements_of"]

#: What surrounds the work.
CONTROL: Final = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with its parameters; None where it is sent as it is."""

    sql: str
    parameters: Sequence[Any] | None


def statements_of(call: Call) -> list[Statement]:
    """Give what a call sends to the database, but for the limits of transactions."""
    found: list[Statement] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        found.append(Statement(sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        call()
    return [each for each in found if not each.sql.startswith(CONTROL)]


def print_costs(cases: Mapping[str, Call], redis_url: str | None = None) -> None:
    """Print a line for each call.

    A statement is what Django or we send. A round trip is what the server has
    answered: drivers add some of their own. SQLite has no server.
    """
    width = max(map(len, cases))
    head = ("statements", "BEGIN etc.", "round trips", "Redis")
    print(f"\n{'case':{width}}  {'  '.join(head)}  which")
    for name, call in cases.items():
        words = _words(call)
        control = sum(word in CONTROL for word in words)
        trips = TRIPS[connection.vendor](call)
        asked = _commands(call, redis_url) if redis_url else 0
        numbers = (len(words) - control, control, trips, asked)
        cells = [f"{n:{len(text)}}" for n, text in zip(numbers, head, strict=True)]
        print(f"{name:{width}}  {'  '.join(cells)}  {' '.join(words)}".rstrip())


def _words(call: Call) -> list[str]:
    """Give the first word of each statement."""
    own: Sequence[Statement] | None = getattr(call, "statements", None)
    if own is not None:
        return [statement.sql.split()[0] for statement in own]
    with CaptureQueriesContext(connection) as captured:
        call()
    return [query["sql"].split()[0] for query in captured]


def _postgresql(call: Call) -> int:
    """Count in the log of the client's library how often the server was ready."""
    driver: Any = connection.connection
    with TemporaryFile() as log:
        driver.pgconn.trace(log.fileno())
        try:
            call()
        finally:
            driver.pgconn.untrace()
        log.seek(0)
        return log.read().count(b"ReadyForQuery")


def _mariadb(call: Call) -> int:
    before = _questions()
    call()
    # The first of the two is none of the call's.
    return _questions() - before - 1


def _questions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Questions'")
        return int(cursor.fetchone()[1])


def _commands(call: Call, url: str) -> int:
    with redis.Redis.from_url(url) as client:
        before = _processed(client)
        call()
        return _processed(client) - before - 1


def _processed(client: Any) -> int:
    return int(client.info("stats")["total_commands_processed"])


TRIPS: Final[dict[str, Callable[[Call], int]]] = {
    "sqlite": lambda _call: 0,
    "postgresql": _postgresql,
    "mysql": _mariadb,
}
