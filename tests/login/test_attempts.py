from typing import Any

import pytest
from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import cache

from drf_apikit.login.attempts import Attempt, remember, take
from drf_apikit.login.errors import LoginError, Reason
from tests.login.website import Clock

STATES = "oidc_states"


@pytest.fixture
def clock(monkeypatch: Any) -> Clock:
    cache.clear()
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    return clock


@pytest.fixture
def session(clock: Clock) -> SessionStore:
    assert clock.now
    store = SessionStore()
    store["basket"] = ["apple"]
    store.create()
    return SessionStore(store.session_key)


def attempt(**members: Any) -> Attempt:
    return Attempt(
        **{
            "issuer": "https://id.example",
            "nonce": "n",
            "code_verifier": "v",
            **members,
        }
    )


def refused(session: Any, state: str) -> Reason:
    with pytest.raises(LoginError) as caught:
        take(session, state)
    assert caught.value.status == 400
    return caught.value.reason


def test_an_attempt_comes_back_as_it_was(session: SessionStore, clock: Clock) -> None:
    remember(session, "s", attempt(next_url="/a/", silent=True))
    found = take(SessionStore(session.session_key), "s")
    assert found == attempt(next_url="/a/", silent=True, added_on=clock.now)


@pytest.mark.compliance("RFC 6749", "10.12")
def test_a_state_works_once(session: SessionStore, clock: Clock) -> None:
    remember(session, "s", attempt())
    take(session, "s")
    assert refused(session, "s") is Reason.STATE_UNKNOWN
    clock.now += 61
    assert refused(session, "s") is Reason.STATE_UNKNOWN
    assert refused(SessionStore(session.session_key), "s") is Reason.STATE_UNKNOWN


def test_a_state_works_once_for_requests_at_the_same_time(
    session: SessionStore,
) -> None:
    remember(session, "s", attempt())
    one, other = (SessionStore(session.session_key) for _ in range(2))
    # Both have read the session before either changes it.
    assert one[STATES].keys() == other[STATES].keys() == {"s"}
    take(one, "s")
    assert refused(other, "s") is Reason.STATE_UNKNOWN


def test_tabs_do_not_overwrite_each_other(session: SessionStore) -> None:
    one, other = (SessionStore(session.session_key) for _ in range(2))
    assert one["basket"] == other["basket"]
    remember(one, "one", attempt(next_url="/one/"))
    remember(other, "other", attempt(next_url="/other/"))
    for name in ("other", "one"):
        assert take(SessionStore(session.session_key), name).next_url == f"/{name}/"
    assert SessionStore(session.session_key)["basket"] == ["apple"]


def test_a_session_of_another_browser_has_not_asked(session: SessionStore) -> None:
    remember(session, "s", attempt())
    other = SessionStore()
    other.create()
    assert refused(other, "s") is Reason.STATE_UNKNOWN
    assert take(session, "s") is not None


@pytest.mark.parametrize("key", [None, "gone"])
def test_a_browser_without_a_session(clock: Clock, key: str | None) -> None:
    del clock
    assert refused(SessionStore(key), "s") is Reason.SESSION_MISSING


def test_it_takes_an_hour_at_the_most(session: SessionStore, clock: Clock) -> None:
    remember(session, "s", attempt())
    remember(session, "t", attempt())
    clock.now += 3600
    take(session, "s")
    clock.now += 1
    assert refused(session, "t") is Reason.STATE_EXPIRED
    assert refused(session, "t") is Reason.STATE_UNKNOWN


@pytest.mark.parametrize(("setting", "kept"), [(3, 3), (1, 1), (None, 50)])
def test_the_oldest_is_forgotten(
    session: SessionStore, clock: Clock, settings: Any, setting: int | None, kept: int
) -> None:
    settings.OIDC_MAX_STATES = setting
    for number in range(60):
        clock.now += 1
        remember(session, str(number), attempt())
    assert list(session[STATES]) == [str(59 - number) for number in range(kept)]


@pytest.mark.parametrize(
    "junk", [None, [], "s", {"s": None}, {"s": []}, {1: {}}], ids=repr
)
def test_what_else_is_there_is_nothing(session: SessionStore, junk: Any) -> None:
    session[STATES] = junk
    session.save()
    assert refused(session, "s") is Reason.STATE_UNKNOWN
    remember(session, "s", attempt())
    assert take(session, "s").nonce == "n"


def test_an_entry_of_mozillas_has_no_issuer_and_no_time(session: SessionStore) -> None:
    session[STATES] = {"s": {"nonce": "n", "code_verifier": None, "added_on": "x"}}
    session.save()
    assert refused(session, "s") is Reason.STATE_EXPIRED


def test_a_session_that_is_not_stored_yet(clock: Clock) -> None:
    session = SessionStore()
    remember(session, "s", attempt())
    assert session.modified
    assert take(session, "s").added_on == clock.now
