"""What is used or ended stays so, whatever becomes of the request."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError, non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings

from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import Ending, end_all, end_session, rotate
from tests.tokens.sessions.families import age, begin, came_to, stored

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls(__name__),
    pytest.mark.usefixtures("database"),
]
CLEAR = "a transaction of their own"


def joined(request: HttpRequest) -> HttpResponse:
    return HttpResponse(rotate(request.POST["text"]).refresh_token)


@non_atomic_requests
def failing(request: HttpRequest) -> HttpResponse:
    came = came_to(request.POST["text"])
    raise LookupError(came)


urlpatterns = [path("joined/", joined), path("failing/", failing)]


@pytest.fixture
def without_autocommit() -> Iterator[None]:
    connection.set_autocommit(False)
    yield
    connection.rollback()
    connection.set_autocommit(True)


def test_a_transaction_outside_is_refused_clearly() -> None:
    session, text = begin()
    with transaction.atomic(), pytest.raises(TransactionManagementError, match=CLEAR):
        rotate(text)
    assert stored(session).token_digest == session.token_digest
    assert came_to(text) == "rotated"


def test_so_is_reuse_in_a_transaction_outside() -> None:
    session, text = begin()
    rotate(text)
    age(session, 11)
    with transaction.atomic(), pytest.raises(TransactionManagementError, match=CLEAR):
        rotate(text)
    assert came_to(text) == "reused"


@pytest.mark.usefixtures("atomic_requests")
def test_a_view_that_is_in_a_transaction_is_refused_clearly(client: Client) -> None:
    _, text = begin()
    with pytest.raises(TransactionManagementError, match="non_atomic_requests"):
        client.post("/joined/", {"text": text})
    assert came_to(text) == "rotated"


def test_no_autocommit_is_refused_clearly(request: pytest.FixtureRequest) -> None:
    _, text = begin()
    request.getfixturevalue("without_autocommit")
    with pytest.raises(TransactionManagementError, match="autocommit"):
        rotate(text)


@pytest.mark.usefixtures("atomic_requests")
@pytest.mark.parametrize(
    ("seconds", "came", "then"), [(0, "rotated", "used"), (11, "reused", "ended")]
)
def test_a_view_that_fails_takes_nothing_back(
    seconds: int, came: str, then: str, client: Client
) -> None:
    session, text = begin()
    if seconds:
        rotate(text)
        age(session, seconds)
    with pytest.raises(LookupError, match=came):
        client.post("/failing/", {"text": text})
    assert came_to(text) == then


def test_a_logout_joins_the_transaction(heard: list[Any]) -> None:
    session, text = begin()
    with transaction.atomic():
        assert end_session(session.pk, Ending.LOGOUT)
        assert end_all(session.user, Ending.REVOKED) == 0
        transaction.set_rollback(True)
    assert heard == []
    with transaction.atomic():
        assert end_all(session.user, Ending.REVOKED) == 1
        assert heard == []
    assert heard == [("ended", session.pk, "revoked")]
    assert came_to(text) == "ended"


def test_a_login_joins_the_transaction() -> None:
    with transaction.atomic():
        begin()
        transaction.set_rollback(True)
    assert not TokenSession.objects.exists()


class _Replica:
    """A router that reads where there is nothing yet."""

    def db_for_read(self, *_: Any, **__: Any) -> str:
        return "replica"

    def db_for_write(self, *_: Any, **__: Any) -> str:
        return "default"


def test_a_copy_that_lags_behind_is_never_asked(settings: Settings) -> None:
    session, text = begin()
    user = session.user
    settings.DATABASE_ROUTERS = [_Replica()]
    _, other = begin(user)
    second = rotate(text).refresh_token
    assert came_to(text) == "used"
    assert came_to(other) == "rotated"
    assert end_all(user, Ending.LOGOUT) == 2
    assert came_to(second) == "ended"
