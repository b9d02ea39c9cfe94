import time
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.signals import user_logged_out
from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import cache
from django.core.management import call_command

from drf_apikit.login import sessions
from drf_apikit.login.sessions import go_on, ticket_of, tokens_of, update
from drf_apikit.login.vault import KeptTokens, discard, keep, kept
from drf_apikit.models import ExternalIdentity
from tests.login.provider import Provider
from tests.login.website import Browser, open_website

pytestmark = pytest.mark.django_db

DAY = 24 * 60 * 60


@pytest.fixture
def browser(provider: Provider, login_settings: Any, monkeypatch: Any) -> Browser:
    return open_website(provider, login_settings, monkeypatch)


@pytest.fixture
def session() -> SessionStore:
    cache.clear()
    store = SessionStore()
    store.create()
    return store


def tokens(**members: Any) -> KeptTokens:
    later = round(time.time()) + 300.5
    return KeptTokens(**{"renew_at": later - 60, "expires_at": later, **members})


def test_a_ticket_says_whose_the_session_is(browser: Browser) -> None:
    browser.provider.claims["sid"] = "session-7"
    browser.log_in()
    ticket = ticket_of(browser.client.session)
    identity = ExternalIdentity.objects.get()
    assert ticket is not None
    assert (ticket.issuer, ticket.subject) == (identity.issuer, identity.subject)
    assert ticket.sid == "session-7"
    assert ticket.expires_at == browser.clock.now + 300
    assert ticket.renew_at == browser.clock.now + 240


@pytest.mark.parametrize("sid", [None, 7, ["x"]])
def test_a_sid_is_a_text(browser: Browser, sid: Any) -> None:
    browser.provider.claims["sid"] = sid
    browser.log_in()
    ticket = ticket_of(browser.client.session)
    assert ticket is not None
    assert ticket.sid is None


@pytest.mark.parametrize("written", [None, "x", [], {"of": "another release"}])
def test_what_is_no_ticket(session: SessionStore, written: Any) -> None:
    session["drf_apikit_login"] = written
    session.save()
    assert ticket_of(session) is None
    assert tokens_of(session) is None
    assert go_on(session) is False
    update(session, tokens())
    assert session["drf_apikit_login"] == written


def test_who_has_nothing_new_to_say_saves_nothing(
    browser: Browser, django_assert_num_queries: Any
) -> None:
    browser.log_in()
    session = browser.client.session
    given = tokens_of(session)
    assert given is not None
    # It is read, and no more.
    with django_assert_num_queries(1):
        assert not update(session, given)
    later = replace(given, renew_at=given.renew_at + 1)
    assert update(session, later)
    ticket = ticket_of(browser.client.session)
    assert ticket is not None
    assert ticket.renew_at == later.renew_at


@pytest.mark.parametrize("values", [{}, {"request": None}, {"request": object()}])
def test_who_logs_out_without_a_session_has_no_tokens(values: dict[str, Any]) -> None:
    answers = user_logged_out.send(sender=object, user=None, **values)
    assert any(receiver.__module__ == sessions.__name__ for receiver, _ in answers)


def test_tokens_come_back_as_they_were(session: SessionStore) -> None:
    given = tokens(
        refresh_token="r", access_token="a", id_token="i", claims={"sub": "s", "iat": 1}
    )
    key = keep(session, None, given)
    assert kept(session, key) == given
    # The session itself knows nothing of them.
    assert key not in {None, session.session_key}
    newer = tokens(refresh_token="r2")
    assert keep(session, key, newer) == key
    assert kept(session, key) == newer
    discard(session, key)
    assert kept(session, key) is None
    discard(session, None)


def test_tokens_are_unreadable_at_rest(session: SessionStore) -> None:
    given = tokens(refresh_token="refresh-token-7")
    assert "refresh-token-7" not in repr(given)
    key = keep(session, None, given)
    assert "refresh-token-7" not in str(dict(SessionStore(key).items()))


@pytest.mark.parametrize("junk", [None, 7, "x", "gAAAAA"])
def test_what_was_changed_at_rest_is_nothing(session: SessionStore, junk: Any) -> None:
    key = keep(session, None, tokens())
    assert kept(session, key) is not None
    record = SessionStore(key)
    record["drf_apikit_tokens"] = junk
    record.save()
    assert kept(session, key) is None


def test_no_key_of_tokens_logs_anybody_in(browser: Browser) -> None:
    browser.log_in()
    ticket = ticket_of(browser.client.session)
    assert ticket is not None
    browser.client.cookies["sessionid"] = str(ticket.vault)
    assert browser.who() == "nobody"


@pytest.mark.parametrize("engine", ["db", "cached_db", "file"])
def test_tokens_of_sessions_that_are_over_are_cleared(
    browser: Browser, tmp_path: Any, engine: str
) -> None:
    browser.settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    browser.settings.SESSION_FILE_PATH = str(tmp_path)
    browser.settings.SESSION_COOKIE_AGE = -DAY
    session = type(browser.client.session)()
    key = keep(session, None, tokens(expires_at=browser.clock.now))
    assert kept(session, key) is None
    call_command("clearsessions")
    assert not session.exists(str(key))


def test_tokens_last_as_long_as_the_session_may(browser: Browser) -> None:
    browser.log_in()
    session = browser.client.session
    ticket = ticket_of(session)
    assert ticket is not None
    record = type(session)(ticket.vault)
    assert record.get_expiry_age() >= session.get_expiry_age() + 300 - 60


def test_a_second_login_leaves_no_tokens_of_the_first(browser: Browser) -> None:
    browser.log_in()
    first = ticket_of(browser.client.session)
    browser.log_in()
    assert first is not None
    assert kept(browser.client.session, first.vault) is None
    browser.provider.subject = "bob"
    second = ticket_of(browser.client.session)
    browser.log_in()
    assert second is not None
    assert kept(browser.client.session, second.vault) is None


def test_a_record_that_ends_in_that_very_moment(
    session: SessionStore, monkeypatch: Any
) -> None:
    key = keep(session, None, tokens())
    age = SessionStore.get_expiry_age

    def end(self: Any, **options: Any) -> Any:
        SessionStore(key).delete()
        return age(self, **options)

    # A fault that cannot be provoked: between reading and writing.
    monkeypatch.setattr(SessionStore, "get_expiry_age", end)
    assert keep(session, key, tokens()) is None
