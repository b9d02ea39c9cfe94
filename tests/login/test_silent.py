"""Sessions that are renewed through the browser, and what its tabs come back to."""

from collections.abc import Iterator
from typing import Any

import pytest

from drf_apikit.login.endings import Ending
from drf_apikit.signals import session_ended
from tests.login.answers import as_refusal
from tests.login.provider import Provider
from tests.login.website import Browser, open_website

pytestmark = pytest.mark.django_db

#: Seconds after which such a session has to be renewed.
LIFE = 301


@pytest.fixture
def unrenewable(provider: Provider, login_settings: Any, monkeypatch: Any) -> Browser:
    browser = open_website(provider, login_settings, monkeypatch)
    provider.tokens["refresh_token"] = None
    browser.log_in()
    return browser


@pytest.fixture
def endings() -> Iterator[list[Ending]]:
    found: list[Ending] = []

    def hear(reason: Ending, **_: Any) -> None:
        found.append(reason)

    session_ended.connect(hear)
    yield found
    session_ended.disconnect(hear)


@pytest.mark.parametrize("subject", [None, "bob"])
def test_each_of_several_tabs_comes_back_to_where_it_was(
    unrenewable: Browser, endings: list[Ending], subject: str | None
) -> None:
    begun = unrenewable.answer_of(unrenewable.begin(next="/who/?login"))
    unrenewable.clock.now += LIFE
    unrenewable.provider.subject = subject
    tabs = ["/who/?1", "/who/?2", "/who/?3"]
    redirects = [unrenewable.client.get(tab) for tab in tabs]
    before = unrenewable.client.cookies["sessionid"].value
    answers = [
        unrenewable.finish(unrenewable.answer_of(redirect)) for redirect in redirects
    ]
    assert [answer["Location"] for answer in answers] == tabs
    assert unrenewable.client.cookies["sessionid"].value != before
    assert unrenewable.who() == "nobody"
    assert len(endings) == 1
    # A login that a person has begun goes on too.
    unrenewable.provider.subject = "alice"
    assert unrenewable.finish(begun)["Location"] == "/who/?login"
    assert unrenewable.who() == "alice@example.com"


def test_a_login_goes_on_when_another_request_has_ended_the_session(
    provider: Provider,
    login_settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    endings: list[Ending],
) -> None:
    browser = open_website(provider, login_settings, monkeypatch)
    browser.log_in()
    begun = browser.answer_of(browser.begin(next="/who/?login"))
    browser.clock.now += LIFE
    browser.provider.answers["/token"] = as_refusal(400, "invalid_grant")
    assert browser.who() == "nobody"
    assert endings == [Ending.REFUSED]
    del browser.provider.answers["/token"]
    assert browser.finish(begun)["Location"] == "/who/?login"
    assert browser.who() == "alice@example.com"


def test_what_nobody_waits_for_any_more_leaves_with_the_session(
    unrenewable: Browser,
) -> None:
    unrenewable.begin()
    unrenewable.clock.now += 3600 + LIFE
    unrenewable.provider.subject = None
    redirect = unrenewable.client.get("/who/")
    unrenewable.finish(unrenewable.answer_of(redirect))
    assert unrenewable.client.cookies["sessionid"].value == ""


@pytest.mark.parametrize("named", ["/home/", "home"])
def test_who_is_not_vouched_for_goes_where_failures_go(
    unrenewable: Browser, named: str
) -> None:
    unrenewable.settings.LOGIN_REDIRECT_URL_FAILURE = named
    unrenewable.clock.now += LIFE
    unrenewable.provider.subject = None
    redirect = unrenewable.client.get("/who/")
    answer = unrenewable.finish(unrenewable.answer_of(redirect))
    assert answer["Location"] == "/home/"
