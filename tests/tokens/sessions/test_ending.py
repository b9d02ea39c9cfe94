"""How sessions end, and whose they are."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext, isolate_apps
from pytest_django import Settings

from drf_apikit.tokens import wiring
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import (
    Ending,
    end_all,
    end_session,
    ending,
    live_sessions,
)
from tests.counting import of_block, recorded
from tests.tokens.sessions.families import age, begin, came_to, made, stored

pytestmark = pytest.mark.django_db(transaction=True)
everywhere = pytest.mark.usefixtures("database")


def alive(user: User) -> int:
    return TokenSession.objects.filter(user=user, ended_at=None).count()


@everywhere
def test_one_ends(heard: list[Any], settings: Settings) -> None:
    counted = recorded(settings)
    session, text = begin()
    assert end_session(session.pk, Ending.LOGOUT)
    assert not end_session(session.pk, Ending.REVOKED)
    row = stored(session)
    assert (row.end_reason, row.ended_at) == ("logout", row.expires_at)
    assert came_to(text) == "ended"
    assert heard == [("ended", session.pk, "logout")]
    event = ("tokens.session_ended", {"reason": "logout"})
    assert of_block("tokens", counted)[0] == event


@everywhere
def test_one_of_somebody_else_does_not_end() -> None:
    session, text = begin()
    assert not end_session(session.pk, Ending.REVOKED, made("eve"))
    assert not end_session(uuid.uuid4(), Ending.REVOKED, session.user)
    assert came_to(text) == "rotated"
    assert end_session(session.pk, Ending.REVOKED, session.user)


@everywhere
def test_all_end_but_the_one_to_keep(heard: list[Any]) -> None:
    user, other = made(), made("bob")
    sessions = [begin(user)[0] for _ in range(3)]
    begin(other)
    age(sessions[0], 20 * 24 * 3600)
    assert end_all(user, Ending.REVOKED, keep=sessions[1].pk) == 1
    assert heard == [("ended", sessions[2].pk, "revoked")]
    assert [one.pk for one in live_sessions(user)] == [sessions[1].pk]
    assert end_all(user, Ending.REVOKED) == 1
    assert end_all(user, Ending.REVOKED) == 0
    assert alive(other) == 1


def test_on_sqlite_it_is_written_before_it_is_read() -> None:
    """Who has read is refused there once another one has written."""
    user = made()
    sessions = [begin(user)[0] for _ in range(2)]
    with CaptureQueriesContext(connection) as queries:
        assert end_session(sessions[0].pk, Ending.LOGOUT)
        assert end_all(user, Ending.REVOKED) == 1
    words = [query["sql"].partition(" ")[0] for query in queries]
    assert words == ["BEGIN", "UPDATE", "SELECT", "UPDATE", "COMMIT"] * 2


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.usefixtures("database")
def test_elsewhere_rows_are_locked_before_they_are_judged() -> None:
    """Of two that end a session at once, one waits, and finds nothing to end."""
    session, _ = begin()
    with CaptureQueriesContext(connection) as queries:
        assert end_session(session.pk, Ending.LOGOUT)
    (looked,) = [one["sql"] for one in queries if one["sql"].startswith("SELECT")]
    assert looked.endswith("FOR UPDATE")


def test_what_fails_after_the_commit_is_nobody_elses_bother(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a counter whose connection is gone: what others have to do is done."""

    def fail(*_: Any, **__: Any) -> None:
        raise LookupError

    done: list[str] = []
    session, _ = begin()
    monkeypatch.setattr(ending, "_tell", fail)
    with transaction.atomic():
        assert end_session(session.pk, Ending.LOGOUT)
        transaction.on_commit(lambda: done.append("mail"))
    assert done == ["mail"]
    assert stored(session).end_reason == "logout"


@everywhere
def test_the_list_of_a_user() -> None:
    user = made()
    sessions = [begin(user)[0] for _ in range(4)]
    begin(made("bob"))
    age(sessions[0], 5)
    age(sessions[1], 20 * 24 * 3600)
    end_session(sessions[2].pk, Ending.LOGOUT)
    assert [one.pk for one in live_sessions(user)] == [
        sessions[3].pk,
        sessions[0].pk,
    ]
    user.set_password("other")
    assert not live_sessions(user).exists()


@everywhere
@pytest.mark.parametrize("fields", [None, ["is_active"]], ids=["all", "one"])
def test_a_user_who_is_deactivated(fields: Any, heard: list[Any]) -> None:
    session, _ = begin()
    begin(made("bob"))
    session.user.is_active = False
    session.user.save(update_fields=fields)
    assert heard == [("ended", session.pk, "inactive")]


def everybody(_user: Any) -> bool:
    return True


def nobody_called_ada(user: Any) -> bool:
    return str(user.username) != "ada"


def test_an_inactive_user_who_may_log_in(settings: Settings) -> None:
    settings.SIMPLE_JWT = {"USER_AUTHENTICATION_RULE": everybody}
    session, text = begin()
    session.user.is_active = False
    session.user.save()
    assert came_to(text) == "rotated"


def test_an_active_user_who_may_not_log_in(settings: Settings) -> None:
    session, _ = begin()
    settings.SIMPLE_JWT = {"USER_AUTHENTICATION_RULE": nobody_called_ada}
    session.user.save()
    assert stored(session).end_reason == "inactive"


@pytest.fixture
def without_table() -> Iterator[None]:
    """Have what a database is before its migrations."""
    table = TokenSession._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table}_away RENAME TO {table}")


@everywhere
def test_a_user_is_saved_before_the_table_is_there(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """New code may run before its migrations."""
    user = made()
    request.getfixturevalue("without_table")
    user.is_active = False
    with transaction.atomic():
        user.save()
    assert User.objects.filter(is_active=False).exists()
    (record,) = caplog.records
    assert TokenSession._meta.db_table in record.getMessage()


def test_any_other_fault_is_no_less_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError

    user = made()
    user.is_active = False
    monkeypatch.setattr(wiring, "end_all", fail)
    with pytest.raises(OperationalError):
        user.save()


@isolate_apps("tests.app")
def test_a_proxy_of_a_user_who_is_deactivated(heard: list[Any]) -> None:
    """Its saves send a signal of their own."""

    class Colleague(User):
        class Meta:
            app_label = "app"
            proxy = True

    session, _ = begin()
    colleague = Colleague(
        **{
            field.attname: getattr(session.user, field.attname)
            for field in User._meta.concrete_fields
        }
    )
    colleague.is_active = False
    colleague.save(force_update=True)
    assert heard == [("ended", session.pk, "inactive")]


def test_saves_that_say_nothing(django_assert_num_queries: Any) -> None:
    session, _ = begin()
    user = session.user
    with django_assert_num_queries(1):
        user.save()
    user.is_active = False
    with django_assert_num_queries(1):
        user.save(update_fields=["first_name"])
    with django_assert_num_queries(1):
        user.save_base(raw=True)
    with django_assert_num_queries(1):
        User.objects.create(username="bob", is_active=False)
    assert alive(user) == 1


class _Elsewhere:
    """A router that has the tables of tokens in no database of users."""

    def allow_migrate(self, _db: str, app_label: str, **_: Any) -> bool:
        return app_label != "drf_apikit_tokens"


def test_users_in_a_database_without_sessions(
    settings: Settings, django_assert_num_queries: Any
) -> None:
    user = made()
    user.is_active = False
    settings.DATABASE_ROUTERS = [_Elsewhere()]
    with django_assert_num_queries(1):
        user.save()


def test_the_app_is_wired_once() -> None:
    session, _ = begin()
    wiring.install()
    session.user.is_active = False
    session.user.save(using=DEFAULT_DB_ALIAS)
    assert stored(session).end_reason == "inactive"
