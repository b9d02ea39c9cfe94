"""Who changes the password stays logged in, and nobody else does."""

import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from django.http import HttpRequest

from drf_apikit.tokens.sessions import Ending, end_session, keep_session, rotate, texts
from drf_apikit.tokens.sessions.texts import new_text
from drf_apikit.tokens.tokens import AccessToken, RefreshToken
from tests.tokens.facade import SETTINGS
from tests.tokens.sessions.families import begin, came_to, made

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _issuer(settings: "Settings") -> None:
    settings.DRF_APIKIT = SETTINGS


def renamed(user: "User") -> "User":
    user.set_password("another one")
    user.save()
    return user


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", [str, uuid.UUID])
def test_the_session_that_asks_goes_on(kind: Any) -> None:
    user = made()
    (session, mine), (_, other) = begin(user), begin(user)
    assert keep_session(kind(str(session.pk)), renamed(user))
    assert came_to(other) == "password"
    again = rotate(mine).refresh_token
    assert came_to(again) == "rotated"
    renamed(user)


def test_it_is_told_by_the_request() -> None:
    user = made()
    mine = RefreshToken.for_user(user)
    text, other = str(mine), str(RefreshToken.for_user(user))
    verified = AccessToken(str(mine.access_token)).payload
    ways = (
        mine.access_token,
        SimpleNamespace(issuer=verified["iss"], claims=verified),
    )
    for auth in ways:
        assert keep_session(SimpleNamespace(auth=auth), renamed(user))
    assert came_to(text) == "rotated"
    assert came_to(other) == "password"


def test_a_refresh_at_the_same_time_takes_nothing_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = made()
    session, text = begin(user)

    def late(session_id: uuid.UUID) -> str:
        if user.check_password("correct horse"):
            assert keep_session(session.pk, renamed(user))
        return new_text(session_id)

    monkeypatch.setattr(texts, "new_text", late)
    again = rotate(text).refresh_token
    assert came_to(again) == "rotated"


def test_who_has_no_session_keeps_none() -> None:
    user = made()
    session, text = begin(user)
    renamed(user)
    stranger = SimpleNamespace(issuer="https://else.test", claims={"sid": session.pk})
    without = AccessToken.for_user(user)
    for auth in (None, stranger, without):
        assert not keep_session(SimpleNamespace(auth=auth), user)
    assert not keep_session(HttpRequest(), user)
    assert not keep_session(uuid.uuid4(), user)
    assert not keep_session(session.pk, made("eve"))
    assert came_to(text) == "password"
    ended, _ = begin(user)
    end_session(ended.pk, Ending.LOGOUT)
    assert not keep_session(ended.pk, user)
