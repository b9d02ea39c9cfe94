"""Databases that refuse: they may only be read, or will not commit."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from django.http import HttpResponseBase
from pytest_django import DjangoDbBlocker, Settings
from rest_framework.request import Request
from rest_framework.response import Response

from drf_apikit.models import IdempotencyRecord
from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.conftest import behind_pgbouncer
from tests.counting import of_block, recorded
from tests.databases import in_threads
from tests.idempotency.calls import Call, caller, outcome
from tests.idempotency.matrix_world import cleaned, effects, told
from tests.idempotency.views import Script, created

ADA: Final = User(pk=1, username="ada")
READ_ONLY: Final = {
    "postgresql": "SET default_transaction_read_only = on",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
}

pytestmark = pytest.mark.urls("tests.idempotency.urls")
on_servers = pytest.mark.parametrize(
    "database", ["postgresql", "mariadb"], indirect=True
)
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
session_of_its_own = pytest.mark.skipif(
    behind_pgbouncer(), reason="a pool of transactions has no sessions"
)
post: Final[Call] = caller(ADA)


@pytest.fixture(autouse=True)
def committed(
    everywhere: str, django_db_blocker: DjangoDbBlocker, settings: Settings
) -> Iterator[str]:
    """Commit, and leave nothing."""
    settings.MIDDLEWARE = []
    with django_db_blocker.unblock(), cleaned():
        yield everywhere


def run(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone() if cursor.description else None


def is_atomic() -> bool:
    return bool(connection.settings_dict["ATOMIC_REQUESTS"])


@session_of_its_own
@on_servers
def test_a_database_that_may_only_be_read(
    script: type[Script], settings: Settings
) -> None:
    counted = recorded(settings)

    def refused() -> Any:
        run(READ_ONLY[connection.vendor])
        return post()

    (response,) = in_threads(refused)
    assert_problem(response, 503, "idempotency-unavailable")
    assert response["Retry-After"] == "1"
    assert of_block("idempotency", counted) == [("idempotency.unavailable", {})]
    assert not script.entered
    # Once it may be written again, the retry is as good as the first.
    assert told(post()) == "201"
    assert effects() == 1


@pytest.fixture
def serializable(committed: str) -> Iterator[str]:
    """Have all connections at the strictest level."""
    options = connection.settings_dict["OPTIONS"]
    own = {**options, "isolation_level": IsolationLevel.SERIALIZABLE}
    with ExitStack() as stack:
        stack.callback(connection.close)
        stack.callback(connection.settings_dict.update, {"OPTIONS": options})
        connection.settings_dict["OPTIONS"] = own
        connection.close()
        yield committed


@contextmanager
def plans(options: str) -> Iterator[None]:
    """Have PostgreSQL plan like this, in all connections."""
    given = connection.settings_dict["OPTIONS"]
    connection.settings_dict["OPTIONS"] = {**given, "options": options}
    connection.close()
    try:
        yield
    finally:
        connection.settings_dict["OPTIONS"] = given
        connection.close()


def counting(request: Request) -> HttpResponseBase:
    """Read what the other one writes, after having written."""
    assert Article.objects.count() <= 2
    return created(request)


@contextmanager
def overtaken(after: str, call: Callable[[], Any]) -> Iterator[list[Any]]:
    """Have the call made after that statement of ours, with nothing committed."""
    answers: list[Any] = []

    def overtake(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        done = execute(sql, params, many, context)
        if sql.startswith(after) and "idempotency" in sql and not answers:
            answers.append(None)
            answers[0] = in_threads(call)[0]
        return done

    with connection.execute_wrapper(overtake):
        yield answers


@on_postgresql
@pytest.mark.usefixtures("serializable")
def test_postgresql_a_commit_that_is_refused_is_a_conflict(
    script: type[Script], settings: Settings
) -> None:
    counted = recorded(settings)
    script.answer = staticmethod(counting)
    # Each counts without what the other one has written: one after the other, one
    # of them would have.
    with overtaken("UPDATE", lambda: post(key="other")) as answers:
        late = post()
    (first,) = answers
    assert told(first) == "201"
    assert effects() == IdempotencyRecord.objects.count() == 1
    events = [event for event, _ in of_block("idempotency", counted)]
    if is_atomic():
        # That COMMIT is Django's: it is no answer of ours.
        assert late.status_code == 500
        assert events == ["idempotency.executed"]
    else:
        assert_problem(late, 409, "idempotency-in-progress")
        assert late["Retry-After"] == "1"
        assert events == ["idempotency.executed", "idempotency.conflicted"]
    second = post()
    assert told(second) == "201"
    assert second.json()["articles"] == 2
    assert outcome(post()) == outcome(second)
    assert effects() == IdempotencyRecord.objects.count() == 2
    assert script.entered == ["key-1", "other", "key-1"]


def three_at_once() -> list[Any]:
    """Give the answers of three; PostgreSQL sees no danger in fewer."""

    def second() -> list[Any]:
        with overtaken("WITH", lambda: post(key="third")) as third:
            return [post(key="second"), *third]

    with overtaken("WITH", second) as answers:
        first = post()
    return [first, *answers[0]]


@on_postgresql
@session_of_its_own
@pytest.mark.usefixtures("serializable")
def test_postgresql_claims_alone_are_no_reason_to_refuse_a_commit(
    script: type[Script],
) -> None:
    script.answer = staticmethod(lambda _: Response({"done": True}, status=201))
    # As with any table that is not small.
    with plans("-c enable_seqscan=off"):
        assert [told(answer) for answer in three_at_once()] == ["201"] * 3
    assert effects() == IdempotencyRecord.objects.count() == 3


@on_postgresql
@session_of_its_own
@pytest.mark.usefixtures("serializable")
def test_postgresql_where_it_reads_all_of_a_small_table_they_come_again(
    script: type[Script],
) -> None:
    """It then takes whoever keeps an answer for a reader of all that is claimed."""
    script.answer = staticmethod(lambda _: Response({"done": True}, status=201))
    run(f"VACUUM (ANALYZE) {IdempotencyRecord._meta.db_table}")
    with plans("-c enable_indexscan=off -c enable_bitmapscan=off"):
        first, second, third = three_at_once()
    assert told(third) == "201"
    for refused in (first, second):
        assert_problem(refused, 409, "idempotency-in-progress")
        assert refused["Retry-After"] == "1"
    assert effects() == IdempotencyRecord.objects.count() == 1
    assert [told(post()), told(post(key="second"))] == ["201"] * 2
    assert effects() == IdempotencyRecord.objects.count() == 3


@on_postgresql
@pytest.mark.usefixtures("serializable")
def test_postgresql_an_answer_that_cannot_be_stored_is_a_conflict(
    script: type[Script],
) -> None:
    def outpaced(request: Request) -> HttpResponseBase:
        response = counting(request)
        if not first:
            # It commits a little sooner than in the test of the COMMIT.
            first.append(None)
            first[0] = in_threads(lambda: post(key="other"))[0]
        return response

    first: list[Any] = []
    script.answer = staticmethod(outpaced)
    late = post()
    assert_problem(late, 409, "idempotency-in-progress")
    assert late["Retry-After"] == "1"
    assert [told(answer) for answer in first] == ["201"]
    assert effects() == IdempotencyRecord.objects.count() == 1
    assert told(post()) == "201"
    assert effects() == IdempotencyRecord.objects.count() == 2
