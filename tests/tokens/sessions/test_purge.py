"""Sessions that are over go, and nothing else."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import F
from django.db.models.signals import post_delete
from pytest_django import Settings

from drf_apikit.purging import purge
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import (
    Ending,
    LegacyToken,
    end_all,
    end_session,
    exchange_legacy,
    rotate,
)
from drf_apikit.tokens.sessions.purge import KEPT, SESSIONS
from tests.counting import of_block, recorded
from tests.databases import in_threads
from tests.tokens.sessions.families import age, begin, came_to, made
from tests.tokens.sessions.test_opening import legacy

pytestmark = pytest.mark.django_db(transaction=True)
everywhere = pytest.mark.usefixtures("database")
TWENTY_DAYS = 20 * 24 * 3600


def purged(batch: int = 7, **given: Any) -> int:
    return purge(SESSIONS, DEFAULT_DB_ALIAS, batch, **given)


@everywhere
def test_what_has_ended_or_expired_goes_batch_by_batch(settings: Settings) -> None:
    user, other = made(), made("bob")
    sessions = [begin(user)[0] for _ in range(20)]
    _, text = begin(other)
    for session in sessions[:5]:
        age(session, TWENTY_DAYS)
    end_all(user, Ending.LOGOUT)
    counted = recorded(settings)
    assert purged(dry_run=True) == 20
    told: list[int] = []
    assert purged(progress=told.append) == 20
    assert told == [7, 14, 20]
    assert of_block("tokens", counted) == [("tokens.purged", {})] * 3
    assert purged() == 0
    assert came_to(text) == "rotated"


@everywhere
def test_a_token_of_simplejwt_does_not_begin_another_session() -> None:
    """For as long as it is good, what it has become is kept."""
    user = made()
    soon = legacy(exp=int(time.time()) + 60)
    given: dict[str, Any] = {"client_id": "app", "scopes": [], "claims": {}}
    for text, jti in ((soon, "soon"), ("unreadable", "unreadable")):
        token = LegacyToken(text, jti)
        session, _ = exchange_legacy(user, token, user_agent="", **given)
        end_session(session.pk, Ending.LOGOUT)
    assert purged() == 0
    past = F("origin_expires_at") - timedelta(days=2)
    TokenSession.objects.update(origin_expires_at=past)
    assert purged() == 1


@everywhere
def test_a_theft_can_be_looked_into_for_a_month() -> None:
    session, text = begin()
    rotate(text)
    age(session, 11)
    assert came_to(text) == "reused"
    assert purged() == 0
    age(session, KEPT - 60)
    assert purged() == 0
    age(session, 61)
    assert purged() == 1


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
@everywhere
def test_a_session_that_somebody_holds_is_left_alone() -> None:
    user = made()
    sessions = [begin(user)[0] for _ in range(9)]
    end_all(user, Ending.LOGOUT)
    with transaction.atomic():
        TokenSession.objects.filter(pk=sessions[4].pk).update(client_id="held")
        assert in_threads(purged) == [8]
    assert TokenSession.objects.get() == sessions[4]
    assert purged() == 1


@everywhere
def test_two_at_once_share_the_work() -> None:
    user = made()
    for _ in range(30):
        begin(user)
    end_all(user, Ending.LOGOUT)
    assert sum(in_threads(purged, purged)) + purged() == 30
    assert not TokenSession.objects.exists()


@pytest.fixture
def deleted() -> Iterator[list[Any]]:
    """Give what a listener for all models is told."""
    told: list[Any] = []

    def listen(*, instance: Any, **_: Any) -> None:
        told.append(instance)

    post_delete.connect(listen)
    yield told
    post_delete.disconnect(listen)


@everywhere
def test_listeners_are_told(deleted: list[Any]) -> None:
    session, _ = begin()
    age(session, TWENTY_DAYS)
    assert purged() == 1
    assert [type(one) for one in deleted] == [TokenSession]
