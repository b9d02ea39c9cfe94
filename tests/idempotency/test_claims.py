import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

import pytest
from django.core.signals import request_finished
from django.db import (
    DEFAULT_DB_ALIAS,
    NotSupportedError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.http import HttpResponseBase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings
from rest_framework.request import Request

from drf_apikit import database_clock
from drf_apikit.database_clock import moment
from drf_apikit.idempotency.claims import (
    Claim,
    ContentionError,
    claimed,
    store,
)
from drf_apikit.idempotency.claims.deletion import delete
from drf_apikit.models import IdempotencyRecord
from drf_apikit.signals import idempotency_conflicted
from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.conftest import behind_pgbouncer
from tests.databases import in_threads
from tests.idempotency.calls import Call, caller, outcome, person
from tests.idempotency.views import Script, created

SECONDS: Final = 20.0
DRAFT: Final = "draft-ietf-httpapi-idempotency-key-header"
CLAIM: Final = Claim("0f" * 32, "a" * 64, "f" * 64, "POST", "route/" * 60, 60)
ANSWER: Final = {"status_code": 201, "has_body": True, "codec": 0, "answer": b"done"}

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.idempotency.urls"),
]
session_of_its_own = pytest.mark.skipif(
    behind_pgbouncer(), reason="a pool of transactions has no sessions"
)
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
on_mariadb = pytest.mark.parametrize("database", ["mariadb"], indirect=True)
without_waiting = pytest.mark.parametrize(
    "database", ["postgresql", "mariadb"], indirect=True
)


def run(sql: str, *parameters: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone() if cursor.description else None


def execute() -> None:
    """Do the operation of `CLAIM` from beginning to end."""
    with claimed(CLAIM, DEFAULT_DB_ALIAS) as record:
        assert record is None
        store(CLAIM.scope, ANSWER, DEFAULT_DB_ALIAS)


def read() -> bytes:
    """Give the body of the operation that is done."""
    with claimed(CLAIM, DEFAULT_DB_ALIAS) as record:
        assert record is not None
        return bytes(record.answer)


class Pause:
    """An answer that the first view to be asked gives when the test lets it."""

    def __init__(self) -> None:
        self.reached, self.released = threading.Event(), threading.Event()

    def __call__(self, request: Request) -> HttpResponseBase:
        if not self.reached.is_set():
            self.reached.set()
            assert self.released.wait(SECONDS)
        return created(request)

    def then(self, call: Callable[[], Any]) -> Callable[[], Any]:
        """Make the call while the view pauses, and let it go on after that."""

        def during() -> Any:
            try:
                assert self.reached.wait(SECONDS)
                return call()
            finally:
                self.released.set()

        return during


@pytest.mark.usefixtures("database")
def test_a_claim_then_its_record() -> None:
    execute()
    assert read() == b"done"
    record = IdempotencyRecord.objects.get()
    assert (record.scope, record.fingerprint) == (CLAIM.scope, CLAIM.fingerprint)
    assert record.route == ("route/" * 60)[:255]
    assert record.completed_at is not None
    assert record.expires_at - record.created_at == timedelta(seconds=60)


@pytest.mark.usefixtures("database")
def test_what_fails_inside_leaves_no_claim() -> None:
    with pytest.raises(LookupError), claimed(CLAIM, DEFAULT_DB_ALIAS):
        raise LookupError
    assert not IdempotencyRecord.objects.exists()
    execute()


@pytest.mark.usefixtures("database")
def test_a_database_error_of_the_view_is_its_own() -> None:
    with (
        pytest.raises(OperationalError, match="40001"),
        claimed(CLAIM, DEFAULT_DB_ALIAS),
    ):
        raise OperationalError("40001")


def test_an_error_that_is_no_contention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IdempotencyRecord._meta, "db_table", "nowhere")
    with pytest.raises(OperationalError, match="no such table"):
        execute()


def test_a_database_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections[DEFAULT_DB_ALIAS], "vendor", "oracle")
    with pytest.raises(NotSupportedError, match="no claim for"):
        execute()


@pytest.mark.compliance(DRAFT, "2.7")
@without_waiting
def test_a_retry_while_the_first_runs_is_refused_at_once(
    everywhere: str, post: Call, script: type[Script]
) -> None:
    pause, heard = Pause(), []

    def note(**arguments: Any) -> None:
        heard.append(arguments["scope"])

    script.answer = staticmethod(pause)
    idempotency_conflicted.connect(note)
    try:
        first, (second, other) = in_threads(
            post, pause.then(lambda: (post(), post("/function/")))
        )
    finally:
        idempotency_conflicted.disconnect(note)
    assert_problem(second, 409, "idempotency-in-progress")
    assert second["Retry-After"] == "1"
    assert first.status_code == other.status_code == 201, everywhere
    assert outcome(post()) == outcome(first)
    assert heard == [IdempotencyRecord.objects.get(route="effects/").pk]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_on_sqlite_a_retry_waits_and_is_replayed(
    everywhere: str, post: Call, script: type[Script]
) -> None:
    script.answer = staticmethod(created)
    first, second = in_threads(post, post)
    assert outcome(first) == outcome(second), everywhere
    assert sorted("Idempotent-Replayed" in answer for answer in (first, second)) == [
        False,
        True,
    ]
    assert len(script.entered) == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("database")
def test_on_sqlite_waiting_has_an_end() -> None:
    def impatient() -> None:
        run("PRAGMA busy_timeout = 0")
        execute()

    with claimed(CLAIM, DEFAULT_DB_ALIAS), pytest.raises(ContentionError):
        in_threads(impatient)


@pytest.mark.usefixtures("everywhere")
def test_the_view_is_entered_once_for_each_key() -> None:
    ada, threads, keys = person("ada"), 16, 4
    barrier = threading.Barrier(threads)

    def insist(key: str) -> Callable[[], tuple[str, Any]]:
        def call() -> tuple[str, Any]:
            post = caller(ada)
            barrier.wait(SECONDS)
            while (response := post(key=key)).status_code == 409:
                assert_problem(response, 409, "idempotency-in-progress")
            return key, outcome(response)

        return call

    answers = in_threads(*(insist(f"key-{n % keys}") for n in range(threads)))
    assert Counter(Script.entered) == {f"key-{n}": 1 for n in range(keys)}
    assert Article.objects.count() == keys
    for key in Script.entered:
        assert len({repr(answer) for name, answer in answers if name == key}) == 1
    assert {answer[0] for _, answer in answers} == {201}


@pytest.mark.usefixtures("database")
@without_waiting
def test_two_replays_do_not_hinder_each_other() -> None:
    execute()
    with claimed(CLAIM, DEFAULT_DB_ALIAS) as record:
        assert record is not None
        assert in_threads(read, read) == [b"done", b"done"]


@pytest.mark.usefixtures("database")
@without_waiting
def test_only_one_takes_over_what_has_expired() -> None:
    execute()
    IdempotencyRecord.objects.update(expires_at=timezone.now())
    with claimed(CLAIM, DEFAULT_DB_ALIAS) as record:
        assert record is None
        with pytest.raises(ContentionError):
            in_threads(execute)
    kept = IdempotencyRecord.objects.get()
    assert (kept.status_code, kept.answer, kept.completed_at) == (None, None, None)


@pytest.fixture
def mysql(database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have MariaDB go MySQL's way: it knows all of those statements."""
    ours = connections[DEFAULT_DB_ALIAS]
    for place in (type(ours), ours):
        monkeypatch.setattr(place, "mysql_is_mariadb", False)
    return database


@on_mariadb
@pytest.mark.usefixtures("mysql")
def test_mysql_takes_a_lock_and_gives_it_back() -> None:
    with CaptureQueriesContext(connection) as captured:
        execute()
    words = [query["sql"].split("(")[0] for query in captured]
    assert not [sql for sql in words if "SET STATEMENT" in sql]
    assert words.index("SELECT GET_LOCK") < words.index("COMMIT")
    assert words.index("COMMIT") < words.index("SELECT RELEASE_LOCK")
    assert words.count("SELECT RELEASE_LOCK") == 1
    assert read() == b"done"


@on_mariadb
@pytest.mark.usefixtures("mysql")
def test_mysql_refuses_at_once_while_the_first_runs() -> None:
    def refuse_others() -> None:
        with pytest.raises(ContentionError):
            in_threads(execute)
        raise LookupError

    with pytest.raises(LookupError), claimed(CLAIM, DEFAULT_DB_ALIAS):
        refuse_others()
    in_threads(execute)


@on_mariadb
@pytest.mark.usefixtures("mysql")
def test_mysql_gives_the_lock_back_after_a_failure() -> None:
    with pytest.raises(LookupError), claimed(CLAIM, DEFAULT_DB_ALIAS):
        raise LookupError
    in_threads(execute)


@on_mariadb
@pytest.mark.usefixtures("mysql")
def test_mysql_gives_the_lock_back_at_the_end_of_a_request_at_the_latest() -> None:
    with transaction.atomic():
        execute()
        transaction.set_rollback(True)
    with pytest.raises(ContentionError):
        in_threads(execute)
    request_finished.send(object)
    in_threads(execute)


@on_mariadb
@pytest.mark.usefixtures("mysql")
def test_mysql_a_connection_that_is_gone_has_no_locks() -> None:
    with transaction.atomic():
        execute()
        transaction.set_rollback(True)
    connection.close()
    request_finished.send(object)
    execute()


@on_mariadb
def test_mysql_protects_a_view(
    mysql: str, atomic_requests: bool, post: Call, script: type[Script]
) -> None:
    pause = Pause()
    script.answer = staticmethod(pause)
    first, second = in_threads(post, pause.then(post))
    assert_problem(second, 409, "idempotency-in-progress")
    assert first.status_code == 201, (mysql, atomic_requests)
    assert in_threads(post)[0]["Idempotent-Replayed"] == "true"


@contextmanager
def shadowed_lock() -> Iterator[None]:
    """Have a lock function that waits for ours on the connections of threads."""
    run("CREATE SCHEMA shadow")
    run(
        "CREATE FUNCTION shadow.pg_try_advisory_xact_lock(bigint) RETURNS boolean"
        " LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1);"
        " RETURN pg_catalog.pg_try_advisory_xact_lock($1); END'"
    )
    try:
        yield
    finally:
        run("DROP SCHEMA shadow CASCADE")


@session_of_its_own
@on_postgresql
@pytest.mark.usefixtures("database")
def test_postgresql_commit_between_snapshot_and_lock() -> None:
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    )
    failed = threading.Event()

    def late() -> bytes:
        try:
            run("SET search_path = shadow, pg_catalog, public")
            return read()
        finally:
            failed.set()

    def first() -> bytes:
        run("SELECT pg_advisory_lock(1)")
        waiter = threading.Thread(target=lambda: answers.extend(in_threads(late)))
        waiter.start()
        while run(waiting) == (0,) and not failed.is_set():
            pass
        execute()
        run("SELECT pg_advisory_unlock(1)")
        waiter.join(SECONDS)
        return b"first"

    answers: list[bytes] = []
    with shadowed_lock():
        in_threads(first)
    assert answers == [b"done"]


@on_postgresql
@pytest.mark.usefixtures("database")
def test_postgresql_lock_refused_but_row_done() -> None:
    execute()
    lock = int.from_bytes(bytes.fromhex(CLAIM.scope)[:8], "big", signed=True)
    with transaction.atomic():
        run("SELECT pg_advisory_xact_lock(%s)", lock)
        assert in_threads(read) == [b"done"]


@on_postgresql
@pytest.mark.usefixtures("database")
def test_postgresql_lock_refused_and_no_row() -> None:
    lock = int.from_bytes(bytes.fromhex(CLAIM.scope)[:8], "big", signed=True)
    with transaction.atomic():
        run("SELECT pg_advisory_xact_lock(%s)", lock)
        with pytest.raises(ContentionError):
            in_threads(execute)
    execute()


@on_postgresql
@pytest.mark.usefixtures("database")
def test_postgresql_an_old_snapshot_spoils_nothing_around_it() -> None:
    with transaction.atomic():
        run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert not IdempotencyRecord.objects.exists()
        in_threads(execute)
        with pytest.raises(ContentionError), claimed(CLAIM, DEFAULT_DB_ALIAS):
            pass
        Article.objects.create(title="after")
    assert Article.objects.get().title == "after"
    assert read() == b"done"


@on_mariadb
@pytest.mark.usefixtures("database")
def test_mariadb_an_old_snapshot_sees_what_is_done() -> None:
    run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    with transaction.atomic():
        assert not IdempotencyRecord.objects.exists()
        in_threads(execute)
        assert not IdempotencyRecord.objects.exists()
        assert read() == b"done"


@on_postgresql
@pytest.mark.usefixtures("database", "atomic_requests")
def test_postgresql_a_serialization_failure_is_a_conflict(
    post: Call, script: type[Script]
) -> None:
    looked, done = threading.Event(), threading.Event()

    def late() -> bool:
        run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        Article.objects.count()
        looked.set()
        return done.wait(SECONDS)

    def gate() -> bool:
        return late() if threading.current_thread() in slow else True

    def second() -> Any:
        slow.append(threading.current_thread())
        return post()

    def first() -> Any:
        assert looked.wait(SECONDS)
        try:
            return post()
        finally:
            done.set()

    slow: list[threading.Thread] = []
    script.gate = staticmethod(gate)
    refused, answered = in_threads(second, first)
    assert answered.status_code == 201
    assert_problem(refused, 409, "idempotency-in-progress")
    assert outcome(post()) == outcome(answered)


@on_postgresql
def test_postgresql_with_parameters_bound_by_the_server(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = connections.settings[DEFAULT_DB_ALIAS]["OPTIONS"]
    monkeypatch.setitem(options, "server_side_binding", True)

    def once() -> bytes:
        execute()
        IdempotencyRecord.objects.update(expires_at=timezone.now())
        execute()
        return read()

    assert in_threads(once) == [b"done"], database


@on_postgresql
def test_postgresql_a_killed_connection_leaves_nothing(
    everywhere: str, post: Call, script: type[Script]
) -> None:
    def die(_request: Request) -> HttpResponseBase:
        run("SELECT pg_terminate_backend(pg_backend_pid())")
        raise AssertionError

    script.answer = staticmethod(die)
    (response,) = in_threads(post)
    assert response.status_code == 500
    assert not Article.objects.exists(), everywhere
    assert not IdempotencyRecord.objects.exists()
    script.answer = staticmethod(created)
    assert in_threads(post)[0].status_code == 201
    assert Article.objects.count() == 1


def statements(call: Callable[[], Any]) -> Counter[str]:
    with CaptureQueriesContext(connection) as captured:
        assert call().status_code in {200, 201}
    return Counter(query["sql"].split()[0] for query in captured)


@on_postgresql
def test_postgresql_the_cost_of_protection(database: str, post: Call) -> None:
    plain = statements(lambda: post("/unprotected/"))
    first, replay = statements(post), statements(post)
    assert plain == {"INSERT": 1, "SELECT": 1}, database
    assert first - plain == {"WITH": 1, "UPDATE": 1, "BEGIN": 1, "COMMIT": 1}
    assert replay == {"WITH": 1, "BEGIN": 1, "COMMIT": 1}


@on_postgresql
@pytest.mark.usefixtures("database", "atomic_requests")
def test_postgresql_the_cost_within_a_transaction(post: Call) -> None:
    plain = statements(lambda: post("/unprotected/"))
    first, replay = statements(post), statements(post)
    assert plain == {"BEGIN": 1, "INSERT": 1, "SELECT": 1, "COMMIT": 1}
    assert first - plain == {"WITH": 1, "UPDATE": 1}
    assert replay == {"BEGIN": 1, "WITH": 1, "COMMIT": 1}


@on_postgresql
def test_postgresql_a_replay_reads_the_object_of_its_route(database: str) -> None:
    post, article = caller(person("ada")), Article.objects.create()
    url = f"/articles/{article.pk}/publish/"
    statements(lambda: post(url))
    again = statements(lambda: post(url))
    assert again == {"WITH": 1, "SELECT": 1, "BEGIN": 1, "COMMIT": 1}, database


@pytest.mark.parametrize(
    ("database", "claim", "found"),
    [
        ("sqlite", {"INSERT": 1}, {"INSERT": 1, "SELECT": 1}),
        ("mariadb", {"SET": 1}, {"SET": 1, "SELECT": 1}),
    ],
    indirect=["database"],
)
def test_the_cost_elsewhere(
    database: str, claim: dict[str, int], found: dict[str, int], post: Call
) -> None:
    plain = statements(lambda: post("/unprotected/"))
    first, replay = statements(post), statements(post)
    transaction_of_it = {"BEGIN": 1, "COMMIT": 1}
    assert first - plain == {**claim, "UPDATE": 1, **transaction_of_it}, database
    assert replay == {**found, **transaction_of_it}


@on_mariadb
@pytest.mark.usefixtures("mysql")
def test_mysql_two_replays_do_not_hinder_each_other() -> None:
    execute()
    with claimed(CLAIM, DEFAULT_DB_ALIAS) as record:
        assert record is not None
        # This one has the lock.
        assert in_threads(read, read) == [b"done", b"done"]


@on_mariadb
@pytest.mark.usefixtures("mysql")
def test_mysql_a_lock_beside_a_row_that_is_not_done() -> None:
    execute()
    IdempotencyRecord.objects.update(status_code=None, codec=None, answer=None)
    with claimed(CLAIM, DEFAULT_DB_ALIAS) as record:
        assert record is not None
        with pytest.raises(ContentionError):
            in_threads(read)


def end_session() -> None:
    """End the session of this thread; its connection does not know it yet."""
    (number,) = run("SELECT CONNECTION_ID()")
    in_threads(lambda: run("KILL %s", number))


@on_mariadb
@pytest.mark.usefixtures("mysql")
def test_mysql_a_connection_lost_after_the_commit_spoils_no_hooks() -> None:
    ran: list[str] = []
    with transaction.atomic():
        transaction.on_commit(end_session)
        execute()
        Article.objects.create(title="effect")
        transaction.on_commit(lambda: ran.append("hook"))
    assert ran == ["hook"]
    request_finished.send(object)
    # It has been noticed, and the next request has another connection.
    assert read() == b"done"
    assert Article.objects.count() == 1


@on_mariadb
@pytest.mark.usefixtures("mysql")
def test_mysql_a_connection_lost_before_the_end_of_the_request() -> None:
    with transaction.atomic():
        execute()
        transaction.set_rollback(True)
    end_session()
    request_finished.send(object)
    in_threads(execute)
    assert read() == b"done"


#: Clocks are put forward between these two.
SUMMER: Final = datetime(2026, 3, 29, 1, tzinfo=UTC)
BERLIN: Final = ZoneInfo("Europe/Berlin")


class Clock(datetime):
    """A clock that is stopped."""

    moment: ClassVar[datetime]

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return cls.moment.astimezone(tz)


@pytest.fixture(params=["connection", "project"])
def berlin(
    request: pytest.FixtureRequest,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> str:
    """Have times written as they are in Berlin."""
    if request.param == "connection":
        monkeypatch.setattr(connections[DEFAULT_DB_ALIAS], "timezone", BERLIN)
    else:
        settings.USE_TZ, settings.TIME_ZONE = False, "Europe/Berlin"
    monkeypatch.setattr(database_clock, "datetime", Clock)
    return database


@pytest.mark.parametrize("database", ["sqlite", "mariadb"], indirect=True)
@pytest.mark.usefixtures("berlin")
def test_clocks_that_are_put_forward_shorten_no_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def remaining() -> timedelta:
        """Tell how long the record lives by the connection's present time."""
        row = run("SELECT expires_at FROM drf_apikit_idempotency")
        row += run(f"SELECT {moment(connection)}")
        then, now = (datetime.fromisoformat(str(value)) for value in row)
        return then - now

    monkeypatch.setattr(Clock, "moment", SUMMER - timedelta(minutes=10), raising=False)
    half = replace(CLAIM, ttl=1800)
    with claimed(half, DEFAULT_DB_ALIAS) as record:
        assert record is None
        store(half.scope, ANSWER, DEFAULT_DB_ALIAS)
    # It ends in summer, an hour later by the clock on the wall.
    assert remaining() // timedelta(minutes=1) in {89, 90}
    monkeypatch.setattr(Clock, "moment", SUMMER)
    assert remaining() // timedelta(minutes=1) in {29, 30}
    assert read() == b"done"


def test_an_answer_that_cannot_be_stored_for_a_mistake() -> None:
    with (
        pytest.raises(OperationalError, match="no such column"),
        claimed(CLAIM, DEFAULT_DB_ALIAS),
    ):
        store(CLAIM.scope, {"nowhere": 1}, DEFAULT_DB_ALIAS)
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.usefixtures("database")
def test_a_hook_that_fails_after_the_commit_is_no_refused_commit() -> None:
    def fail() -> None:
        raise OperationalError(1213, "Deadlock found")

    def finish() -> None:
        store(CLAIM.scope, ANSWER, DEFAULT_DB_ALIAS)
        transaction.on_commit(fail)

    with (
        pytest.raises(OperationalError, match="Deadlock"),
        claimed(CLAIM, DEFAULT_DB_ALIAS),
    ):
        finish()
    assert read() == b"done"


@on_mariadb
@pytest.mark.usefixtures("database")
def test_mariadb_a_lost_connection_is_no_row_that_is_held() -> None:
    def lose() -> None:
        (number,) = run("SELECT CONNECTION_ID()")
        in_threads(lambda: run("KILL %s", number))
        with pytest.raises(OperationalError):
            delete([CLAIM.scope], DEFAULT_DB_ALIAS)

    in_threads(lose)
