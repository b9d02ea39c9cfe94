import time
from typing import Any, Final

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import OperationalError

from drf_apikit.login.vault import KeptTokens, keep, kept

pytestmark = pytest.mark.django_db(transaction=True)

ATTEMPTS: Final = 3


@pytest.fixture
def session() -> SessionStore:
    store = SessionStore()
    store.create()
    return store


def tokens(refresh_token: str) -> KeptTokens:
    later = round(time.time()) + 300.5
    return KeptTokens(
        renew_at=later - 60, expires_at=later, refresh_token=refresh_token
    )


def fail(monkeypatch: Any, times: int) -> list[int]:
    """Let a database fail, as in a deadlock: a fault that cannot be provoked."""
    save, seen = Session.save, [0]

    def fragile(self: Session, *args: Any, **options: Any) -> None:
        seen[0] += 1
        if seen[0] <= times:
            message = "deadlock found when trying to get lock"
            raise OperationalError(message)
        save(self, *args, **options)

    monkeypatch.setattr(Session, "save", fragile)
    return seen


def test_what_a_database_could_not_store_is_stored_again(
    session: SessionStore, monkeypatch: Any
) -> None:
    key = keep(session, None, tokens("first"))
    seen, newer = fail(monkeypatch, ATTEMPTS - 1), tokens("second")
    assert keep(session, key, newer) == key
    assert kept(session, key) == newer
    assert seen == [ATTEMPTS]


def test_what_cannot_be_stored_is_an_error(
    session: SessionStore, monkeypatch: Any
) -> None:
    first = tokens("first")
    key = keep(session, None, first)
    seen = fail(monkeypatch, ATTEMPTS + 1)
    with pytest.raises(UpdateError):
        keep(session, key, tokens("second"))
    assert seen == [ATTEMPTS]
    assert kept(session, key) == first


def test_what_is_gone_is_not_tried_again(
    session: SessionStore, monkeypatch: Any
) -> None:
    key = keep(session, None, tokens("first"))
    make, seen = SessionStore.create_model_instance, []

    def end(self: SessionStore, data: Any) -> Any:
        seen.append(key)
        Session.objects.filter(session_key=key).delete()
        return make(self, data)

    # A fault that cannot be provoked: between reading and writing.
    monkeypatch.setattr(SessionStore, "create_model_instance", end)
    assert keep(session, key, tokens("second")) is None
    assert seen == [key]
