"""Transactions that are stricter than by default: retries are replayed, or told so."""

import functools
import itertools
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any, Final

import pytest
from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from django.db.models import F
from pytest_django import DjangoDbBlocker, Settings
from rest_framework.response import Response

from drf_apikit.models import IdempotencyRecord
from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.databases import in_threads
from tests.idempotency.calls import Call, outcome
from tests.idempotency.matrix_world import SECONDS, cleaned, told
from tests.idempotency.views import Script

LEVELS: Final[dict[tuple[str, str], Any]] = {
    ("postgresql", "repeatable read"): IsolationLevel.REPEATABLE_READ,
    ("postgresql", "serializable"): IsolationLevel.SERIALIZABLE,
    ("mariadb", "repeatable read"): "repeatable read",
    ("mariadb", "serializable"): "serializable",
}
ASKED: Final = {
    "postgresql": "SHOW transaction_isolation",
    "mysql": "SELECT @@tx_isolation",
}

pytestmark = [
    pytest.mark.urls("tests.idempotency.urls"),
    pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True),
]


@pytest.fixture(autouse=True, params=["repeatable read", "serializable"])
def level(
    request: pytest.FixtureRequest,
    everywhere: str,
    django_db_blocker: DjangoDbBlocker,
    settings: Settings,
) -> Iterator[str]:
    """Have all connections at that level; commit, and leave nothing."""
    settings.MIDDLEWARE = []
    level: str = request.param
    options = connection.settings_dict["OPTIONS"]
    own = {**options, "isolation_level": LEVELS[everywhere, level]}
    with django_db_blocker.unblock(), ExitStack() as stack:
        for changed in (own, options):
            connection.settings_dict["OPTIONS"] = changed
            connection.close()
            if changed is own:
                stack.enter_context(cleaned())
                yield level


def run(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


def is_atomic() -> bool:
    return bool(connection.settings_dict["ATOMIC_REQUESTS"])


def test_a_life(level: str, post: Call, script: type[Script]) -> None:
    with transaction.atomic():
        (found,) = run(ASKED[connection.vendor])
    assert found.lower().replace("-", " ") == level
    answers = [post(), post(), post(data={"amount": 2})]
    IdempotencyRecord.objects.update(expires_at=F("created_at") - timedelta(hours=1))
    answers += [post(data={"amount": 2}), post(data={"amount": 2})]
    assert [told(answer) for answer in answers] == [
        "201",
        "201 replayed",
        "422 idempotency-key-reused",
        "201",
        "201 replayed",
    ]
    assert len(script.entered) == Article.objects.count() == 2


@contextmanager
def overtaken(call: Callable[[], Any], times: int = 1) -> Iterator[list[Any]]:
    """Have the call made after a claim's snapshot was taken, and before its insert."""
    answers: list[Any] = []

    def overtake(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if "INSERT" in sql and "idempotency" in sql and len(answers) < times:
            answers.append(None)
            run("SELECT count(*) FROM auth_group")
            answers[-1] = in_threads(call)[0]
        return execute(sql, params, many, context)

    with connection.execute_wrapper(overtake):
        yield answers


def test_a_retry_with_a_snapshot_from_before_the_commit(
    everywhere: str, post: Call, script: type[Script]
) -> None:
    with overtaken(post) as answers:
        late = post()
    (first,) = answers
    assert first.status_code == 201
    if everywhere == "postgresql" and is_atomic():
        # Its transaction began too early, and is not ours to begin anew.
        assert_problem(late, 409, "idempotency-in-progress")
        assert late["Retry-After"] == "1"
    else:
        assert outcome(late) == outcome(first)
        assert late["Idempotent-Replayed"] == "true"
    assert outcome(post()) == outcome(first)
    assert len(script.entered) == Article.objects.count() == 1


def test_another_payload_with_a_snapshot_from_before_the_commit(
    everywhere: str, post: Call, script: type[Script]
) -> None:
    with overtaken(post):
        late = post(data={"amount": 2})
    if everywhere == "postgresql" and is_atomic():
        assert_problem(late, 409, "idempotency-in-progress")
    else:
        assert_problem(late, 422, "idempotency-key-reused")
    assert len(script.entered) == 1


def insist(call: Callable[[], Any]) -> Any:
    """Send it until it is done, as clients do."""
    # A database may end any serializable transaction, to be tried again: PostgreSQL
    # at its COMMIT too, MariaDB where it waits for the lock of a neighbour.
    refused = {409, 500} if connection.vendor == "postgresql" else {409}
    while (answer := call()).status_code in refused:
        pass
    return answer


def test_a_snapshot_from_before_another_operation_hinders_nobody(
    post: Call, level: str
) -> None:
    with overtaken(lambda: post(key="other")) as answers:
        late = insist(post) if level == "serializable" else post()
    assert [answer.status_code for answer in (late, *answers)] == [201, 201]
    assert "Idempotent-Replayed" not in late
    assert Article.objects.count() == IdempotencyRecord.objects.count() == 2


def test_one_that_expired_and_was_renewed_after_the_snapshot(
    everywhere: str, post: Call, script: type[Script]
) -> None:
    post()
    IdempotencyRecord.objects.update(expires_at=F("created_at"))
    with overtaken(post) as answers:
        late = post()
    (second,) = answers
    assert "Idempotent-Replayed" not in second
    if everywhere == "postgresql" and is_atomic():
        assert_problem(late, 409, "idempotency-in-progress")
    else:
        assert outcome(late) == outcome(second)
    assert len(script.entered) == Article.objects.count() == 2


def test_who_is_overtaken_again_and_again_gives_up(
    everywhere: str, post: Call, script: type[Script]
) -> None:
    def again() -> Any:
        IdempotencyRecord.objects.all().delete()
        return post()

    with overtaken(again, times=9) as answers:
        late = post()
    assert {told(answer) for answer in answers} == {"201"}
    assert len(script.entered) == len(answers)
    if everywhere == "postgresql":
        assert_problem(late, 409, "idempotency-in-progress")
        assert len(answers) == (1 if is_atomic() else 3)
    else:
        assert outcome(late) == outcome(answers[-1])


def test_keys_that_have_nothing_to_do_with_each_other(
    level: str, post: Call, script: type[Script]
) -> None:
    script.answer = staticmethod(lambda _: Response({"done": True}, status=201))
    # No name was used before: MariaDB locks the neighbours of a name that it has
    # deleted and not purged yet.
    many, number, stem = 12, itertools.count(), uuid.uuid4()
    barrier = threading.Barrier(many)

    def call() -> list[str]:
        barrier.wait(SECONDS)
        names = [f"{stem}-{next(number)}" for _ in range(4)]
        sends = [functools.partial(post, key=name) for name in names]
        sure = level == "serializable"
        return [told(insist(send) if sure else send()) for send in sends]

    answers = Counter(itertools.chain(*in_threads(*[call] * many)))
    # Whoever is refused has done nothing, and does it once when it comes again.
    assert answers == {"201": 4 * many}
    assert Article.objects.count() == IdempotencyRecord.objects.count() == 4 * many
