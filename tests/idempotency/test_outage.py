"""A database that cannot be asked: nothing is run that could not be told again."""

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from django.contrib.auth.models import User
from django.core.signals import got_request_exception
from django.db import (
    OperationalError,
    ProgrammingError,
    close_old_connections,
    connection,
    connections,
)
from pytest_django import DjangoDbBlocker, Settings

from drf_apikit.models import IdempotencyRecord
from drf_apikit.testing import assert_problem
from tests.app.models import Article
from tests.conftest import behind_pgbouncer
from tests.counting import Counted, of_block, recorded
from tests.databases import in_threads
from tests.idempotency.calls import caller, outcome
from tests.idempotency.matrix_world import cleaned
from tests.idempotency.views import Effects, Script

ADA: Final = User(pk=1, username="ada")
END: Final = {
    "postgresql": "SELECT pg_terminate_backend(%s, 10000)",
    "mysql": "KILL %s",
}
OWN: Final = {
    "postgresql": "SELECT pg_backend_pid()",
    "mysql": "SELECT CONNECTION_ID()",
}
#: Ports that are never listened at.
NOBODY: Final = {"HOST": "127.0.0.1", "PORT": 1}

pytestmark = pytest.mark.urls("tests.idempotency.urls")
session_of_its_own = pytest.mark.skipif(
    behind_pgbouncer(), reason="a pool of transactions has no sessions"
)
on_servers = pytest.mark.parametrize(
    "database", ["postgresql", "mariadb"], indirect=True
)
post = caller(ADA)


@pytest.fixture(autouse=True)
def committed(
    everywhere: str, django_db_blocker: DjangoDbBlocker, settings: Settings
) -> Iterator[str]:
    """Commit, and leave nothing."""
    settings.DATABASE_ROUTERS = []
    with django_db_blocker.unblock(), cleaned():
        yield everywhere


@pytest.fixture
def counted(settings: Settings) -> Counted:
    return recorded(settings)


def run(sql: str, *parameters: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone() if cursor.description else None


def lose_the_connection() -> None:
    """End the session of this thread; its connection does not know it yet."""
    (number,) = run(OWN[connection.vendor])
    in_threads(lambda: run(END[connection.vendor], number))


def served_thrice() -> list[Any]:
    """Send it as to a server, which looks at its connections after each request."""
    answers = []
    for _ in range(3):
        answers.append(post())
        close_old_connections()
    return answers


def assert_unavailable(response: Any) -> None:
    assert_problem(response, 503, "idempotency-unavailable")
    assert response["Retry-After"] == "1"


@session_of_its_own
@on_servers
def test_a_connection_that_is_lost_before_the_claim(
    counted: Counted, script: type[Script], caplog: pytest.LogCaptureFixture
) -> None:
    def gate() -> bool:
        # Permissions are asked just before.
        lose_the_connection()
        script.gate = staticmethod(lambda: True)
        return True

    script.gate = staticmethod(gate)
    (refused, first, second) = in_threads(served_thrice)[0]
    assert_unavailable(refused)
    assert first.status_code == 201
    assert outcome(second) == outcome(first)
    assert second["Idempotent-Replayed"] == "true"
    assert script.entered == ["key-1"]
    assert Article.objects.count() == IdempotencyRecord.objects.count() == 1
    names = [event for event, _ in of_block("idempotency", counted)]
    assert names == [
        f"idempotency.{x}" for x in ("unavailable", "executed", "replayed")
    ]
    assert "nothing was run" in caplog.text
    assert "key-1" not in caplog.text


@pytest.fixture
def nobody_there(
    committed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Have connections that are made from now on go where there is no database."""
    settings = dict(connections.settings["default"])
    if committed == "sqlite":
        settings["NAME"] = tmp_path / "nowhere" / "db.sqlite3"
    else:
        settings |= NOBODY
    monkeypatch.setitem(connections.settings, "default", settings)
    return committed


def test_a_database_that_is_down(
    nobody_there: str, counted: Counted, script: type[Script]
) -> None:
    (response,) = in_threads(post)
    if connection.settings_dict["ATOMIC_REQUESTS"]:
        # Django itself asks before anything else.
        assert response.status_code == 500, nobody_there
    else:
        assert_unavailable(response)
        assert of_block("idempotency", counted) == [("idempotency.unavailable", {})]
    assert not script.entered


@pytest.fixture
def signalled() -> Iterator[list[type[BaseException]]]:
    """Note what Django is told of as unhandled."""
    seen: list[type[BaseException]] = []

    def note(**_: Any) -> None:
        kind = sys.exc_info()[0]
        assert kind is not None
        seen.append(kind)

    got_request_exception.connect(note)
    yield seen
    got_request_exception.disconnect(note)


def test_a_table_that_is_missing_is_no_outage(
    monkeypatch: pytest.MonkeyPatch,
    script: type[Script],
    counted: Counted,
    signalled: list[type[BaseException]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    with monkeypatch.context() as patch:
        patch.setattr(IdempotencyRecord._meta, "db_table", "nowhere")
        assert post().status_code == 500
    assert not script.entered
    assert not of_block("idempotency", counted)
    assert len(signalled) == 1
    assert issubclass(signalled[0], OperationalError | ProgrammingError)
    assert post().status_code == 201


@on_servers
def test_a_connection_that_is_lost_after_the_claim_is_no_outage(
    script: type[Script], counted: Counted, signalled: list[type[BaseException]]
) -> None:
    play: Callable[[Any], Any] = script.answer

    def lose(request: Any) -> Any:
        lose_the_connection()
        return play(request)

    script.answer = staticmethod(lose)
    (response,) = in_threads(post)
    # It has run, so it is no use to say that it has not.
    assert response.status_code == 500
    assert len(signalled) == 1
    assert not of_block("idempotency", counted)
    assert not Article.objects.exists()
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.usefixtures("redis_cache")
def test_a_database_that_is_down_beside_a_cached_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": "default"}}
    article = Article.objects.create(title="draft")
    url = f"/articles/{article.pk}/publish/"
    assert in_threads(lambda: post(url))[0].status_code == 201

    def refuse(*_: Any) -> Any:
        raise OperationalError("nobody is there")

    ours = connections["default"]
    monkeypatch.setattr(type(ours), "get_new_connection", refuse)
    (response,) = in_threads(lambda: post(url))
    if connection.settings_dict["ATOMIC_REQUESTS"]:
        assert response.status_code == 500
    else:
        assert_unavailable(response)


@pytest.mark.usefixtures("redis_cache")
def test_a_view_that_fails_to_authorize_has_a_fault_of_its_own(
    settings: Settings, script: type[Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OperationalError("of the view")

    settings.DRF_APIKIT = {"IDEMPOTENCY": {"CACHE": "default"}}
    monkeypatch.setattr(Effects, "authorize_replay", lambda _: fail(), raising=False)
    assert in_threads(post)[0].status_code == 201
    assert in_threads(post)[0].status_code == 500
    assert script.entered == ["key-1"]
