import logging
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.exceptions import SuspiciousOperation
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path

from drf_apikit.login.backend import OIDCAuthenticationBackend
from drf_apikit.login.errors import Reason
from drf_apikit.login.views import OIDCAuthenticationCallbackView
from drf_apikit.signals import login_failed, login_succeeded
from tests.databases import in_threads
from tests.login.answers import as_refusal, as_text
from tests.login.provider import REVOKE, TOKEN, Provider
from tests.login.website import CALLBACK, MIDDLEWARE, Browser, open_website

pytestmark = pytest.mark.django_db

BACKEND = "drf_apikit.login.backend.OIDCAuthenticationBackend"
BY_PASSWORD = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def browser(provider: Provider, login_settings: Any, monkeypatch: Any) -> Browser:
    return open_website(provider, login_settings, monkeypatch)


@pytest.fixture
def heard() -> Any:
    """Give what the signals of a login have said."""
    said: list[tuple[str, dict[str, Any]]] = []
    signals = {
        "succeeded": login_succeeded,
        "failed": login_failed,
        "django's": user_logged_in,
        "django's failed": user_login_failed,
    }
    receivers = []
    for name, signal in signals.items():

        def hear(name: str = name, **values: Any) -> None:
            said.append((name, values))

        receivers.append(hear)
        signal.connect(hear)
    yield said
    for receiver, signal in zip(receivers, signals.values(), strict=True):
        signal.disconnect(receiver)


def failed(answer: Any, status: int, reason: Reason) -> str:
    """See that an answer tells of a failure; give the page."""
    page: str = answer.content.decode()
    assert answer.status_code == status, page
    assert f"<code>{reason.value}</code>" in page
    return page


def test_a_person_logs_in(browser: Browser, heard: Any) -> None:
    answer = browser.log_in(next="/who/?a=b")
    assert answer["Location"] == "/who/?a=b"
    assert browser.who() == "alice@example.com"
    names = [name for name, _ in heard]
    assert names == ["django's", "succeeded"]
    said = heard[1][1]
    assert said["user"].email == "alice@example.com"
    assert (said["issuer"], said["subject"]) == (browser.provider.url, "alice")


def test_answers_are_nobody_elses(browser: Browser) -> None:
    redirect = browser.begin()
    for answer in (redirect, browser.finish(browser.answer_of(redirect))):
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "no-referrer"
        cookie = answer.cookies["sessionid"]
        assert cookie["httponly"]
        # As strict, the browser would not send it when the provider sends it back.
        assert cookie["samesite"] == "Lax"


def test_without_next_it_goes_where_the_setting_says(browser: Browser) -> None:
    assert browser.log_in()["Location"] == "/home/"
    assert browser.log_in(next="//evil.example")["Location"] == "/home/"


@pytest.mark.compliance("RFC 6749", "10.12")
def test_the_session_key_changes_with_the_login(browser: Browser) -> None:
    redirect = browser.begin()
    before = str(browser.client.session.session_key)
    browser.finish(browser.answer_of(redirect))
    after = browser.client.session
    assert after.session_key != before
    assert not after.exists(before)


def test_tabs_have_a_destination_each(browser: Browser) -> None:
    first, second = browser.begin(next="/who/?1"), browser.begin(next="/who/?2")
    one, two = browser.answer_of(first), browser.answer_of(second)
    assert browser.finish(two)["Location"] == "/who/?2"
    assert browser.finish(one)["Location"] == "/who/?1"
    assert browser.who() == "alice@example.com"


def test_a_login_anew_leaves_the_csrf_token_alone(browser: Browser) -> None:
    browser.log_in()
    key = browser.client.session.session_key
    token = browser.client.cookies["csrftoken"].value
    browser.log_in()
    assert browser.client.session.session_key == key
    assert browser.client.cookies["csrftoken"].value == token


def test_who_came_by_password_is_the_providers_from_then_on(browser: Browser) -> None:
    browser.log_in()
    user = get_user_model().objects.get()
    browser.client.force_login(user, BY_PASSWORD)
    browser.log_in()
    assert browser.client.session["_auth_user_backend"] == BACKEND


def test_another_person_gets_nothing_of_the_session(browser: Browser) -> None:
    browser.log_in()
    browser.client.post("/basket/")
    browser.provider.subject = "bob"
    browser.log_in()
    assert browser.who() == "bob@example.com"
    assert browser.client.get("/basket/").json() == {"basket": []}


def test_what_was_in_an_anonymous_session_stays(browser: Browser) -> None:
    browser.client.post("/basket/")
    browser.log_in()
    assert browser.client.get("/basket/").json() == {"basket": ["apple"]}


@pytest.mark.django_db(transaction=True)
def test_what_other_tabs_do_meanwhile_stays(browser: Browser) -> None:
    browser.client.post("/basket/")
    answer = browser.answer_of(browser.begin())
    held, tab = browser.provider.hold(TOKEN), Client()
    tab.cookies = browser.client.cookies

    def use_tab() -> int:
        assert held.asked.wait(30)
        status: int = tab.post("/basket/").status_code
        held.let_go()
        return status

    assert in_threads(lambda: browser.finish(answer).status_code, use_tab) == [302, 200]
    assert browser.client.get("/basket/").json() == {"basket": ["apple", "apple"]}


def asks_early(get_response: Any) -> Any:
    """Be a middleware that wants to know at once who is there."""

    def answer(request: Any) -> Any:
        assert request.user.pk != 0
        return get_response(request)

    return answer


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_a_session_that_ends_meanwhile_does_not_keep_its_person_out(
    browser: Browser, who: str
) -> None:
    browser.settings.MIDDLEWARE = [*MIDDLEWARE, f"{__name__}.asks_early"]
    browser.client = Client()
    browser.log_in()
    browser.provider.subject = who
    answer = browser.answer_of(browser.begin())
    held, tab = browser.provider.hold(TOKEN), Client()
    tab.cookies["sessionid"] = browser.client.cookies["sessionid"].value

    def leave() -> int:
        assert held.asked.wait(30)
        status: int = tab.post("/oidc/logout/").status_code
        held.let_go()
        return status

    assert in_threads(lambda: browser.finish(answer).status_code, leave) == [302, 302]
    assert browser.who() == f"{who}@example.com"


@pytest.mark.django_db(transaction=True)
def test_who_has_left_meanwhile_is_not_let_in_silently(browser: Browser) -> None:
    browser.settings.MIDDLEWARE = [*MIDDLEWARE, f"{__name__}.asks_early"]
    browser.client = Client()
    browser.provider.tokens["refresh_token"] = None
    browser.log_in()
    browser.clock.now += 301
    answer = browser.answer_of(browser.client.get("/who/"))
    held, tab = browser.provider.hold(TOKEN), Client()
    tab.cookies["sessionid"] = browser.client.cookies["sessionid"].value

    def leave() -> int:
        assert held.asked.wait(30)
        status: int = tab.post("/oidc/logout/").status_code
        held.let_go()
        return status

    assert in_threads(lambda: browser.finish(answer).status_code, leave) == [302, 302]
    assert browser.who() == "nobody"


@pytest.mark.compliance("RFC 6749", "4.1.2.1")
def test_who_says_no_is_told_kindly(browser: Browser, heard: Any) -> None:
    browser.provider.authorization = {"code": None, "error": "access_denied"}
    answer = browser.finish(browser.answer_of(browser.begin(next="/who/")))
    page = failed(answer, 403, Reason.ACCESS_DENIED)
    assert "You are not logged in" in page
    assert 'href="/oidc/authenticate/?next=%2Fwho%2F"' in page
    assert [name for name, _ in heard] == ["failed"]
    assert heard[0][1]["reason"] is Reason.ACCESS_DENIED
    assert heard[0][1]["issuer"] == browser.provider.url


def test_who_says_no_is_still_logged_in_from_before(browser: Browser) -> None:
    browser.log_in()
    browser.provider.authorization = {"code": None, "error": "access_denied"}
    answer = browser.finish(browser.answer_of(browser.begin()))
    page = failed(answer, 403, Reason.ACCESS_DENIED)
    assert "You are still logged in from before." in page
    assert browser.who() == "alice@example.com"


def test_an_answer_that_nobody_asked_for_logs_nobody_out(browser: Browser) -> None:
    browser.log_in()
    for answer in ({"error": "x", "state": "s"}, {"code": "x", "state": "s"}):
        failed(browser.finish(answer), 400, Reason.STATE_UNKNOWN)
    failed(browser.finish({"error": "x"}), 400, Reason.RESPONSE_MALFORMED)
    assert browser.who() == "alice@example.com"


@pytest.mark.compliance("RFC 9700", "4.7")
def test_the_answer_of_another_browser(browser: Browser) -> None:
    answer = browser.answer_of(browser.begin())
    victim = Client()
    found = victim.get(CALLBACK, answer)
    failed(found, 400, Reason.SESSION_MISSING)
    assert "_auth_user_id" not in victim.session
    victim.post("/basket/")
    failed(victim.get(CALLBACK, answer), 400, Reason.STATE_UNKNOWN)
    assert browser.provider.count(TOKEN) == 0


def test_an_answer_works_once(browser: Browser) -> None:
    answer = browser.answer_of(browser.begin())
    browser.finish(answer)
    failed(browser.finish(answer), 400, Reason.STATE_UNKNOWN)
    assert browser.provider.count(TOKEN) == 1
    assert browser.who() == "alice@example.com"


@pytest.mark.parametrize("every", [False, True])
def test_an_answer_that_comes_twice_leaves_the_cookie_of_the_first(
    browser: Browser, every: bool
) -> None:
    browser.settings.SESSION_SAVE_EVERY_REQUEST = every
    answer, again = browser.answer_of(browser.begin()), Client()
    again.cookies["sessionid"] = browser.client.cookies["sessionid"].value
    browser.finish(answer)
    found = again.get(CALLBACK, answer)
    failed(found, 400, Reason.SESSION_MISSING)
    assert "sessionid" not in found.cookies
    # What no login comes back to does away with it, as ever.
    assert again.get("/who/").cookies["sessionid"].value == ""


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_comes_twice_at_once(database: str, browser: Browser) -> None:
    del database
    answer, tab = browser.answer_of(browser.begin()), Client()
    tab.cookies["sessionid"] = browser.client.cookies["sessionid"].value
    found = in_threads(
        lambda: browser.finish(answer).status_code,
        lambda: tab.get(CALLBACK, answer).status_code,
    )
    assert sorted(found) == [302, 400]
    assert browser.provider.count(TOKEN) == 1


def test_an_answer_that_was_refused_is_used_up(browser: Browser) -> None:
    answer = browser.answer_of(browser.begin())
    evil = {**answer, "iss": "https://evil.example"}
    failed(browser.finish(evil), 400, Reason.ISSUER_MISMATCH)
    failed(browser.finish(answer), 400, Reason.STATE_UNKNOWN)


def test_an_answer_that_comes_late(browser: Browser) -> None:
    answer = browser.answer_of(browser.begin())
    browser.clock.now += 3601
    failed(browser.finish(answer), 400, Reason.STATE_EXPIRED)


def test_a_provider_that_is_unwell(browser: Browser) -> None:
    answer = browser.answer_of(browser.begin())
    browser.provider.answers[TOKEN] = as_text(502, "down")
    found = browser.finish(answer)
    failed(found, 503, Reason.PROVIDER_UNAVAILABLE)
    assert found["Retry-After"] == "10"


@pytest.mark.parametrize("error", ["server_error", "temporarily_unavailable"])
def test_nobody_alarms_administrators_by_a_url(
    browser: Browser, caplog: Any, error: str
) -> None:
    browser.provider.authorization = {"code": None, "error": error}
    answer = browser.finish(browser.answer_of(browser.begin()))
    page = failed(answer, 400, Reason.PROVIDER_UNAVAILABLE)
    assert "The login service cannot be reached at the moment." in page
    assert all(record.levelno <= logging.WARNING for record in caplog.records)


def test_a_code_that_the_provider_does_not_take(browser: Browser, heard: Any) -> None:
    answer = browser.answer_of(browser.begin())
    browser.provider.answers[TOKEN] = as_refusal(400, "invalid_grant")
    failed(browser.finish(answer), 400, Reason.CODE_REFUSED)
    assert [name for name, _ in heard] == ["django's failed", "failed"]


def test_a_program_gets_a_problem(browser: Browser) -> None:
    answer = browser.finish({"state": "s"}, accept="application/json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == "/problems/login-failed"
    assert document["reason"] == "response_malformed"


def test_a_project_may_send_failures_elsewhere(browser: Browser, heard: Any) -> None:
    browser.settings.LOGIN_REDIRECT_URL_FAILURE = "/who/"
    answer = browser.finish({"state": "s"})
    assert answer.status_code == 302
    assert answer["Location"] == "/who/"
    assert [name for name, _ in heard] == ["failed"]


def test_a_user_who_may_not_log_in_any_more(browser: Browser) -> None:
    browser.log_in()
    get_user_model().objects.update(is_active=False)
    browser.client.cookies.clear()
    answer = browser.finish(browser.answer_of(browser.begin()))
    failed(answer, 403, Reason.USER_INACTIVE)


class Suspicious(OIDCAuthenticationBackend):
    def authenticate(self, request: Any, **credentials: Any) -> Any:
        del request, credentials
        raise SuspiciousOperation("claims that nobody should see")


class Blind(OIDCAuthenticationBackend):
    def authenticate(self, request: Any, **credentials: Any) -> Any:
        del request, credentials


class Foreign(OIDCAuthenticationBackend):
    """As mozilla's own, which checks less."""

    def authenticate(self, request: Any, **credentials: Any) -> Any:
        del request, credentials
        return get_user_model()(username="x", pk=1)


class Lenient(OIDCAuthenticationBackend):
    def authenticate(self, request: Any, **credentials: Any) -> Any:
        user = super().authenticate(request, **credentials)
        user.is_active = False
        return user


@pytest.mark.parametrize(
    ("backend", "reason"),
    [
        (Suspicious, Reason.CLAIMS_REFUSED),
        (Blind, Reason.BACKEND_REFUSED),
        (Foreign, Reason.BACKEND_REFUSED),
        (Lenient, Reason.USER_INACTIVE),
    ],
)
def test_what_backends_of_a_project_do(
    browser: Browser, backend: type, reason: Reason
) -> None:
    browser.settings.AUTHENTICATION_BACKENDS = [f"{__name__}.{backend.__name__}"]
    answer = browser.finish(browser.answer_of(browser.begin()))
    page = failed(answer, 403, reason)
    assert "nobody should see" not in page
    assert browser.who() == "nobody"


class Own(OIDCAuthenticationCallbackView):
    """Overrides what projects override of mozilla's."""

    @property
    def success_url(self) -> str:
        return f"/own/?to={self.request.session['oidc_login_next']}"

    @property
    def failure_url(self) -> str:
        return f"/sorry/?{self.error and self.error.reason}"

    def login_success(self) -> Any:
        super().login_success()
        self.request.session["greeted"] = True
        return HttpResponse(self.success_url)


class Bare(OIDCAuthenticationCallbackView):
    def get(self, request: Any) -> Any:
        del request
        return self.login_failure()


urlpatterns = [
    path("oidc/callback/", Own.as_view(), name="oidc_authentication_callback"),
    path("bare/", Bare.as_view()),
    path("", include("tests.login.website")),
]


def test_hooks_of_mozillas_view_keep_working(browser: Browser) -> None:
    browser.settings.ROOT_URLCONF = __name__
    answer = browser.finish(browser.answer_of(browser.begin(next="/who/")))
    assert answer.content == b"/own/?to=/who/"
    assert browser.client.session["greeted"] is True
    answer = browser.finish({"state": "s"})
    assert answer["Location"] == "/sorry/?response_malformed"
    assert browser.client.get("/bare/")["Location"] == "/"


def test_other_methods_are_refused(browser: Browser) -> None:
    for url in (CALLBACK, "/oidc/authenticate/"):
        for method in ("post", "put", "delete", "head"):
            assert getattr(browser.client, method)(url).status_code == 405


@pytest.mark.parametrize("kept", [True, False])
def test_tokens_are_where_mozillas_settings_want_them(
    browser: Browser, kept: bool
) -> None:
    browser.settings.OIDC_STORE_ACCESS_TOKEN = kept
    browser.settings.OIDC_STORE_ID_TOKEN = kept
    browser.log_in()
    session = browser.client.session
    assert ("oidc_access_token" in session) is kept
    assert ("oidc_id_token" in session) is kept
    if kept:
        assert session["oidc_access_token"] in browser.provider.grants.access
    everything = str(dict(session.items()))
    assert not any(token in everything for token in browser.provider.grants.refresh)


def test_no_transaction_waits_for_the_provider(
    browser: Browser, atomic_requests: None
) -> None:
    del atomic_requests
    browser.log_in()
    assert browser.who() == "alice@example.com"
    assert browser.provider.count(REVOKE) == 0
