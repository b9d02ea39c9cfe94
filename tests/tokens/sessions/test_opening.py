"""How sessions begin."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import jwt
import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, OperationalError
from django.utils import timezone
from pytest_django import Settings

from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import (
    Ending,
    LegacyToken,
    RefreshRefusedError,
    end_session,
    exchange_legacy,
    open_session,
    opening,
    rotate,
    transactions,
)
from tests.tokens.sessions.families import age, begin, came_to, made, stored

pytestmark = pytest.mark.django_db
everywhere = pytest.mark.usefixtures("database")
DAY = timedelta(days=1)
SECRET = "a key of simplejwt that only this test knows"


def legacy(**claims: Any) -> str:
    return jwt.encode(claims, SECRET, algorithm="HS256")


def exchange(text: str, user: User | None = None, jti: str = "jti") -> Any:
    user = user or User.objects.filter(username="ada").first() or made()
    return exchange_legacy(
        user,
        LegacyToken(text, jti),
        client_id="first-party",
        scopes=[],
        user_agent="curl/8",
    )


def exchanged(text: str, **given: Any) -> str:
    try:
        return str(exchange(text, **given)[1])
    except RefreshRefusedError as error:
        return error.refusal.value


@everywhere
def test_what_a_login_keeps() -> None:
    user = made()
    session, text = begin(
        user,
        client_id="first-party",
        scopes=["write", "read", "read"],
        claims={"tenant": 7},
        user_agent="Mozilla/5.0\0 (X\udc80)\n" + "x" * 300,
    )
    row = stored(session)
    assert (row.user, row.client_id, row.scopes) == (user, "first-party", "read write")
    assert row.claims == {"tenant": 7}
    assert row.user_agent.startswith("Mozilla/5.0 (X)xx")
    assert len(row.user_agent) == 200
    assert (row.ended_at, row.previous_digest, row.origin) == (None, None, None)
    assert row.created_at == row.refreshed_at == session.created_at
    assert row.expires_at == session.expires_at
    assert row.expires_at - row.created_at == 14 * DAY
    assert row.ends_at - row.created_at == 90 * DAY
    assert abs(timezone.now() - row.created_at) < DAY
    assert came_to(text) == "rotated"


@everywhere
def test_the_least_that_can_be_said_of_a_login() -> None:
    session, _ = open_session(made(), client_id="first-party", scopes=[])
    row = stored(session)
    assert (row.scopes, row.claims, row.user_agent) == ("", {}, "")


@everywhere
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"client_id": "x" * 101}, "100 characters"),
        ({"client_id": "x\0"}, "client_id"),
        ({"scopes": ["read", "\udc80"]}, "scopes"),
        ({"claims": {"a": "b\0"}}, "'a'"),
        ({"claims": {"a": [{"b": "\\\0"}]}}, "'a'"),
        ({"claims": {"a\0": 1}}, "a.x00"),
        ({"claims": {"\ud800": 1}}, "ud800"),
        ({"claims": {"a": 1, "b": ["\ud800"]}}, "'b'"),
        ({"claims": {"a": float("nan")}}, "'a'"),
    ],
    ids=str,
)
def test_what_not_all_databases_can_keep(given: Any, named: str) -> None:
    user = made()
    with pytest.raises(ValueError, match=named):
        begin(user, **given)
    assert begin(user)[0].user == user


@everywhere
def test_what_all_databases_can_keep() -> None:
    claims = {
        "a": "\\u0000 \\\\u0000 \U0001f600 \n",
        "b": [None, 1.5, {"\u00fc": True}],
    }
    session, _ = begin(client_id="x" * 100, claims=claims)
    assert stored(session).claims == claims


@everywhere
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_times_without_zones(zone: str, settings: Settings) -> None:
    """They are those of the wall, as all others of such a project."""
    settings.USE_TZ, settings.TIME_ZONE = False, zone
    now = int(time.time())
    text = exchange(legacy(exp=now + 3600))[1]
    row = TokenSession.objects.get()

    def on_the_wall(hours: int) -> datetime:
        at = datetime.fromtimestamp(now, UTC) + timedelta(hours=hours)
        return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)

    assert row.origin_expires_at == on_the_wall(25)
    assert abs(row.created_at - on_the_wall(0)) < timedelta(minutes=1)
    assert came_to(text) == "rotated"


@pytest.mark.django_db(transaction=True)
@everywhere
def test_a_token_of_simplejwt_is_exchanged_once(heard: list[Any]) -> None:
    text = legacy(exp=int(time.time()) + 3600)
    session, refresh = exchange(text)
    assert (session.user.username, session.user_agent) == ("ada", "curl/8")
    assert exchanged(text) == "used"
    last = rotate(refresh).refresh_token
    assert exchanged(text) == "used"
    age(session, 11)
    assert exchanged(text) == "reused"
    assert [exchanged(text), came_to(last)] == ["ended", "ended"]
    assert stored(session).end_reason == "reuse"
    assert TokenSession.objects.count() == 1
    assert [name for name, *_ in heard] == ["reused", "ended"]


@everywhere
def test_no_refresh_lengthens_its_grace() -> None:
    """It counts from the exchange, and not from what its session has done since."""
    session, refresh = exchange("text")
    age(session, 11)
    assert came_to(refresh) == "rotated"
    assert exchanged("text") == "reused"


@everywhere
def test_what_has_become_of_it_may_be_over() -> None:
    session, refresh = exchange("text")
    age(session, 20 * 24 * 3600)
    assert exchanged("text") == "expired"
    session, refresh = exchange("other", jti="other")
    end_session(session.pk, Ending.LOGOUT)
    assert exchanged("other", jti="other") == "ended"
    assert came_to(refresh) == "ended"


@everywhere
def test_the_same_session_is_given_again(tokens: Callable[..., None]) -> None:
    tokens(REPEAT_SUCCESSOR=True)
    session, refresh = exchange("text")
    assert exchange("text") == (session, refresh)
    rotate(refresh)
    assert exchanged("text") == "used"


@everywhere
def test_nobody_is_let_in_who_may_not_log_in() -> None:
    user = made()
    user.is_active = False
    assert exchanged("text", user=user) == "inactive"
    assert not TokenSession.objects.exists()


@pytest.mark.django_db(transaction=True)
@everywhere
def test_a_user_who_is_deleted_meanwhile() -> None:
    user = made()
    gone = User.objects.get()
    user.delete()
    with pytest.raises(IntegrityError):
        exchange("text", user=gone)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        legacy(),
        legacy(exp="x"),
        legacy(exp=10**30),
        legacy(exp=253402300799),
        legacy(exp=None),
    ],
    ids=["no-token", "missing", "text", "never", "last-day", "null"],
)
def test_an_expiry_that_cannot_be_read_is_never(text: str) -> None:
    session, _ = exchange(text)
    assert stored(session).origin_expires_at is None


@everywhere
def test_a_session_that_keeps_changing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes too late is judged by what is there, and not for ever."""
    session, _ = exchange("text")
    age(session, 11)
    monkeypatch.setattr(opening, "refuse", lambda *_: None)
    assert exchanged("text") == "used"


class _CodeError(Exception):
    sqlstate = "40001"


@pytest.mark.parametrize(
    ("cause", "came"), [(_CodeError(), "akr1"), (LookupError(), "fault")]
)
def test_a_transaction_that_the_database_has_ended(
    cause: Exception, came: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made again if another one was first; any other fault is raised."""
    begun = transactions.own_transaction
    causes = [cause]

    @contextmanager
    def flaky(alias: str) -> Iterator[None]:
        with begun(alias):
            yield
            while causes:
                raise OperationalError from causes.pop()

    monkeypatch.setattr(opening, "own_transaction", flaky)
    try:
        assert exchanged("text").startswith(came)
    except OperationalError:
        assert came == "fault"
    assert TokenSession.objects.exists() == (came == "akr1")
