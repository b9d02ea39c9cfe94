from importlib import import_module
from typing import Any

import pytest
from django.contrib.sessions.backends.base import SessionBase

from drf_apikit.login.stored import edit, is_on_server

pytestmark = pytest.mark.django_db

ENGINES = ("db", "cached_db", "cache", "file")


def store(engine: str) -> Any:
    return import_module(f"django.contrib.sessions.backends.{engine}").SessionStore


@pytest.fixture(params=ENGINES)
def session(request: pytest.FixtureRequest, settings: Any, tmp_path: Any) -> Any:
    settings.SESSION_FILE_PATH = str(tmp_path)
    made = store(request.param)()
    made["basket"] = 1
    made.create()
    return type(made)(made.session_key)


def put(items: Any) -> None:
    items["ours"] = "new"


def again(session: SessionBase) -> Any:
    return type(session)(session.session_key)


def test_a_change_is_stored_at_once(session: Any) -> None:
    assert edit(session, put)
    assert session["ours"] == "new"
    assert not session.modified
    assert again(session)["ours"] == "new"


def test_what_others_have_stored_meanwhile_stays(session: Any) -> None:
    assert session["basket"] == 1
    other = again(session)
    other["basket"] = 2
    other.save()
    edit(session, put)
    assert again(session)["basket"] == 2
    assert session["basket"] == 1


def test_what_this_request_has_changed_is_still_to_be_saved(session: Any) -> None:
    session["basket"] = 3
    edit(session, put)
    assert session.modified
    assert again(session)["basket"] == 1
    session.save()
    assert again(session)["basket"] == 3
    assert again(session)["ours"] == "new"


def test_nothing_is_stored_where_nothing_changes(session: Any) -> None:
    before = again(session)
    assert before["basket"] == 1
    assert not edit(session, lambda items: None if "basket" in items else put(items))
    assert "ours" not in again(session)


def test_a_session_that_has_ended_meanwhile_stays_ended(session: Any) -> None:
    assert session["basket"] == 1
    again(session).delete()
    edit(session, put)
    assert session["ours"] == "new"
    assert not again(session).exists(session.session_key)


def test_a_session_that_ends_in_that_very_moment(session: Any) -> None:
    def end_and_put(items: Any) -> None:
        put(items)
        again(session).delete()

    assert not edit(session, end_and_put)
    assert not session.exists(session.session_key)


def test_one_with_the_browser_is_changed_for_the_response() -> None:
    cookies = store("signed_cookies")
    session = cookies()
    session["basket"] = 1
    session.create()
    assert not edit(session, put)
    assert session.modified
    assert not is_on_server(session)


def test_one_that_is_not_stored_yet() -> None:
    session = store("db")()
    edit(session, put)
    assert session.modified
    assert session.session_key is None
    assert is_on_server(session)
