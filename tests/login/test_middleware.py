import re
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.test import AsyncClient, Client

from drf_apikit.login.backend import OIDCAuthenticationBackend
from drf_apikit.login.endings import Ending
from drf_apikit.login.sessions import tokens_of
from drf_apikit.signals import session_ended, session_renewed
from tests.login.answers import as_text
from tests.login.provider import AUTHORIZE, DISCOVERY, TOKEN, Provider
from tests.login.website import Browser, open_website, query_of

pytestmark = pytest.mark.django_db

LIFE = 300
DUE = 241
HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Lax(OIDCAuthenticationBackend):
    """As mozilla's own: who is in stays in."""

    def get_user(self, user_id: Any) -> Any:
        return self.UserModel.objects.get(pk=user_id)


@pytest.fixture
def browser(provider: Provider, login_settings: Any, monkeypatch: Any) -> Browser:
    return open_website(provider, login_settings, monkeypatch)


@pytest.fixture
def unrenewable(browser: Browser) -> Browser:
    """Log in where the provider gives no refresh token."""
    browser.provider.tokens["refresh_token"] = None
    browser.log_in()
    return browser


@pytest.fixture
def endings() -> Any:
    """Give why sessions have ended."""
    said: list[tuple[Ending, Any, Any]] = []

    def hear(**values: Any) -> None:
        said.append((values["reason"], values["user"].email, values["issuer"]))

    session_ended.connect(hear)
    yield said
    session_ended.disconnect(hear)


@pytest.fixture
def renewals() -> Any:
    """Give who was renewed, and by whom."""
    said: list[tuple[Any, Any]] = []

    def hear(**values: Any) -> None:
        said.append((values["user"].email, values["issuer"]))

    session_renewed.connect(hear)
    yield said
    session_renewed.disconnect(hear)


def test_a_session_is_left_alone_until_it_is_due(browser: Browser) -> None:
    browser.log_in()
    asked = len(browser.provider.seen)
    browser.clock.now += DUE - 2
    assert browser.who() == "alice@example.com"
    assert len(browser.provider.seen) == asked


def test_nobody_has_nothing_to_renew(browser: Browser) -> None:
    answer = browser.client.get("/home/")
    assert answer.content == b"nobody"


@pytest.mark.compliance("RFC 6749", "6")
def test_a_session_that_is_due_is_renewed(browser: Browser, renewals: Any) -> None:
    browser.log_in()
    before = tokens_of(browser.client.session)
    browser.clock.now += DUE
    assert browser.who() == "alice@example.com"
    form = browser.provider.last(TOKEN).form
    assert before is not None
    assert form["grant_type"] == "refresh_token"
    assert form["refresh_token"] == before.refresh_token
    after = tokens_of(browser.client.session)
    assert after is not None
    assert after.refresh_token in browser.provider.grants.refresh
    assert after.expires_at == browser.clock.now + LIFE
    expiration = browser.client.session["oidc_id_token_expiration"]
    assert expiration == after.expires_at
    assert renewals == [("alice@example.com", browser.provider.url)]
    assert browser.who() == "alice@example.com"
    assert browser.provider.count(TOKEN) == 2


def test_a_session_is_renewed_for_ever(browser: Browser) -> None:
    browser.log_in()
    for _ in range(5):
        browser.clock.now += LIFE + 60
        assert browser.who() == "alice@example.com"
    assert browser.provider.count(TOKEN) == 6


def test_mozillas_setting_says_how_long_it_lasts(browser: Browser) -> None:
    browser.settings.OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS = 1000
    browser.log_in()
    browser.clock.now += 799
    assert browser.who() == "alice@example.com"
    assert browser.provider.count(TOKEN) == 1
    browser.clock.now += 2
    assert browser.who() == "alice@example.com"
    assert browser.provider.count(TOKEN) == 2


@pytest.mark.parametrize("life", [None, 0, -1, "x"])
def test_a_provider_that_does_not_say_how_long(browser: Browser, life: Any) -> None:
    browser.provider.tokens["expires_in"] = life
    browser.log_in()
    expiration = browser.client.session["oidc_id_token_expiration"]
    assert expiration == browser.clock.now + 900


def test_tokens_that_live_for_a_moment_cause_no_loop(unrenewable: Browser) -> None:
    unrenewable.provider.tokens["expires_in"] = 1
    unrenewable.log_in()
    unrenewable.clock.now += 9
    assert unrenewable.who() == "alice@example.com"


def test_what_mozillas_setting_stores_is_renewed_as_well(browser: Browser) -> None:
    browser.settings.OIDC_STORE_ACCESS_TOKEN = True
    browser.settings.OIDC_STORE_ID_TOKEN = True
    browser.log_in()
    names = ("oidc_access_token", "oidc_id_token")
    before = [browser.client.session[name] for name in names]
    browser.clock.now += DUE
    browser.who()
    after = [browser.client.session[name] for name in names]
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert after[0] in browser.provider.grants.access


def test_a_session_of_another_backend_is_left_alone(browser: Browser) -> None:
    browser.log_in()
    user = get_user_model().objects.get()
    browser.client.logout()
    browser.client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    browser.clock.now += 10_000
    assert browser.who() == "alice@example.com"
    assert browser.provider.count(TOKEN) == 1


@pytest.mark.parametrize("exempt", ["/who/", "who", re.compile("/w.o/")])
def test_some_urls_are_exempt(browser: Browser, exempt: Any) -> None:
    browser.settings.OIDC_EXEMPT_URLS = [exempt]
    browser.client = Client()
    browser.log_in()
    browser.clock.now += 10_000
    assert browser.who() == "alice@example.com"
    assert browser.provider.count(TOKEN) == 1
    browser.client.get("/home/")
    assert browser.provider.count(TOKEN) == 2


def test_the_login_itself_is_exempt(unrenewable: Browser) -> None:
    unrenewable.clock.now += 10_000
    for url in ("/oidc/logout/", "/api-auth/logout/"):
        assert unrenewable.client.get(url).status_code == 405
    redirect = unrenewable.client.get("/api-auth/login/")
    assert "prompt" not in query_of(redirect["Location"])


def test_a_project_may_have_no_login_in_its_browsable_api(browser: Browser) -> None:
    browser.settings.ROOT_URLCONF = "drf_apikit.login.urls"
    answer = browser.client.get("/authenticate/")
    assert answer.status_code == 302


@pytest.mark.parametrize("method", ["post", "get"])
def test_who_may_not_be_here_any_more_is_not(
    browser: Browser, endings: Any, method: str
) -> None:
    browser.settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Lax"]
    browser.log_in()
    get_user_model().objects.update(is_active=False)
    assert getattr(browser.client, method)("/home/").content == b"alice@example.com"
    browser.clock.now += DUE
    assert getattr(browser.client, method)("/home/").content == b"nobody"
    assert [reason for reason, *_ in endings] == [Ending.INACTIVE]


def test_who_was_deleted_is_nobody(browser: Browser) -> None:
    browser.log_in()
    get_user_model().objects.all().delete()
    browser.clock.now += DUE
    assert browser.who() == "nobody"
    assert browser.provider.count(TOKEN) == 1


def test_a_session_with_the_browser_has_no_refresh_token(browser: Browser) -> None:
    browser.settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    browser.client = Client()
    browser.log_in()
    assert tokens_of(browser.client.session) is None
    browser.clock.now += LIFE + 1
    redirect = browser.client.get("/who/")
    assert query_of(redirect["Location"])["prompt"] == "none"
    assert browser.finish(browser.answer_of(redirect))["Location"] == "/who/"
    assert browser.who() == "alice@example.com"


# Without a refresh token.


@pytest.mark.compliance("OIDC Core 1.0", "3.1.2.1")
def test_a_person_is_sent_through_the_provider(
    unrenewable: Browser, renewals: Any
) -> None:
    unrenewable.clock.now += LIFE - 1
    assert unrenewable.who() == "alice@example.com"
    unrenewable.clock.now += 1
    redirect = unrenewable.client.get("/who/?a=b", headers=HTML)
    assert redirect.status_code == 302
    assert "no-store" in redirect["Cache-Control"]
    query = query_of(redirect["Location"])
    assert query["prompt"] == "none"
    assert query["code_challenge_method"] == "S256"
    answer = unrenewable.finish(unrenewable.answer_of(redirect))
    assert answer["Location"] == "/who/?a=b"
    assert unrenewable.who() == "alice@example.com"
    assert renewals == [("alice@example.com", unrenewable.provider.url)]


def test_extra_parameters_cannot_make_it_loud(unrenewable: Browser) -> None:
    extra = {"prompt": "login", "acr_values": "x"}
    unrenewable.settings.OIDC_AUTH_REQUEST_EXTRA_PARAMS = extra
    unrenewable.clock.now += LIFE
    query = query_of(unrenewable.client.get("/who/")["Location"])
    assert query["prompt"] == "none"
    assert query["acr_values"] == "x"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-requested-with": "XMLHttpRequest"},
        {"sec-fetch-mode": "cors"},
        {"accept": "application/json"},
    ],
)
def test_a_script_is_told_where_to_send_the_browser(
    unrenewable: Browser, headers: dict[str, str]
) -> None:
    unrenewable.clock.now += LIFE
    answer = unrenewable.client.get(
        "/who/", headers={**headers, "referer": "http://testserver/home/"}
    )
    assert answer.status_code == 403
    assert answer["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == "/problems/session-expired"
    assert answer["refresh_url"] == document["refresh_url"]
    answer = unrenewable.finish(
        query_of(unrenewable.provider.visit(answer["refresh_url"]))
    )
    assert answer["Location"] == "http://testserver/home/"
    assert unrenewable.who() == "alice@example.com"


def test_with_the_handler_of_drf_it_is_as_mozilla_has_it(unrenewable: Browser) -> None:
    unrenewable.settings.REST_FRAMEWORK = {}
    unrenewable.clock.now += LIFE
    headers = {"x-requested-with": "XMLHttpRequest", "referer": "https://evil.example/"}
    answer = unrenewable.client.get("/who/", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["refresh_url"] == answer["refresh_url"]
    answer = unrenewable.finish(
        query_of(unrenewable.provider.visit(answer["refresh_url"]))
    )
    assert answer["Location"] == "/home/"


def test_a_form_is_taken_for_a_while(unrenewable: Browser, endings: Any) -> None:
    unrenewable.clock.now += LIFE + 299
    assert unrenewable.client.post("/home/").content == b"alice@example.com"
    unrenewable.clock.now += 1
    assert unrenewable.client.post("/home/").content == b"nobody"
    assert endings == [(Ending.EXPIRED, "alice@example.com", unrenewable.provider.url)]
    assert unrenewable.who() == "nobody"


def test_who_asks_for_the_head_of_a_page_asks_as_for_the_page(
    unrenewable: Browser,
) -> None:
    unrenewable.clock.now += LIFE + 301
    redirect = unrenewable.client.head("/who/")
    assert query_of(redirect["Location"])["prompt"] == "none"
    unrenewable.finish(unrenewable.answer_of(redirect))
    assert unrenewable.who() == "alice@example.com"


@pytest.mark.parametrize("method", ["options", "trace"])
def test_what_no_person_sends_ends_nothing(
    unrenewable: Browser, endings: Any, method: str
) -> None:
    unrenewable.clock.now += LIFE + 299
    ask = getattr(unrenewable.client, method)
    assert ask("/who/").content == b"alice@example.com"
    unrenewable.clock.now += 1
    assert ask("/who/").content == b"nobody"
    assert unrenewable.client.get("/who/").status_code == 302
    assert endings == []


def test_who_has_left_the_provider_has_left_here(
    unrenewable: Browser, endings: Any
) -> None:
    unrenewable.clock.now += LIFE
    unrenewable.provider.subject = None
    redirect = unrenewable.client.get("/who/")
    answer = unrenewable.finish(unrenewable.answer_of(redirect))
    # As nobody: whether that needs a login is for the page to say.
    assert answer["Location"] == "/who/"
    assert unrenewable.who() == "nobody"
    assert [reason for reason, *_ in endings] == [Ending.INTERACTION_REQUIRED]


def test_a_project_may_send_them_elsewhere(unrenewable: Browser) -> None:
    unrenewable.settings.LOGIN_REDIRECT_URL_FAILURE = "/sorry/"
    unrenewable.clock.now += LIFE
    unrenewable.provider.subject = None
    redirect = unrenewable.client.get("/who/")
    answer = unrenewable.finish(unrenewable.answer_of(redirect))
    assert answer["Location"] == "/sorry/"


def test_the_provider_vouches_for_somebody_else(
    unrenewable: Browser, endings: Any
) -> None:
    unrenewable.clock.now += LIFE
    unrenewable.provider.subject = "bob"
    redirect = unrenewable.client.get("/who/")
    answer = unrenewable.finish(unrenewable.answer_of(redirect))
    assert answer["Location"] == "/who/"
    assert unrenewable.who() == "nobody"
    assert [(reason, who) for reason, who, _ in endings] == [
        (Ending.ANOTHER_USER, "alice@example.com")
    ]


@pytest.mark.parametrize(
    ("error", "ending"),
    [("access_denied", Ending.REFUSED), ("invalid_request", Ending.INVALID)],
)
def test_the_provider_does_not_want_to(
    unrenewable: Browser, endings: Any, error: str, ending: Ending
) -> None:
    unrenewable.clock.now += LIFE
    unrenewable.provider.authorization = {"code": None, "error": error}
    redirect = unrenewable.client.get("/who/")
    unrenewable.finish(unrenewable.answer_of(redirect))
    assert unrenewable.who() == "nobody"
    assert [reason for reason, *_ in endings] == [ending]


def test_a_provider_that_is_unwell_is_asked_again_later(
    unrenewable: Browser, endings: Any
) -> None:
    unrenewable.clock.now += LIFE
    unrenewable.provider.authorization = {"code": None, "error": "server_error"}
    redirect = unrenewable.client.get("/who/")
    assert unrenewable.finish(unrenewable.answer_of(redirect))["Location"] == "/who/"
    assert unrenewable.who() == "alice@example.com"
    unrenewable.clock.now += 10
    assert unrenewable.client.get("/who/").status_code == 302
    unrenewable.clock.now += 290
    redirect = unrenewable.client.get("/who/")
    unrenewable.finish(unrenewable.answer_of(redirect))
    assert unrenewable.who() == "nobody"
    assert [reason for reason, *_ in endings] == [Ending.UNAVAILABLE]


def test_a_provider_that_cannot_be_found(unrenewable: Browser, endings: Any) -> None:
    unrenewable.provider.answers[DISCOVERY] = as_text(500, "")
    # Another issuer, whose metadata nobody knows yet.
    moved = f"{unrenewable.provider.url}/moved"
    unrenewable.option(ISSUER=moved)
    unrenewable.clock.now += LIFE
    assert unrenewable.who() == "alice@example.com"
    asked = unrenewable.provider.count(AUTHORIZE)
    unrenewable.clock.now += 300
    assert unrenewable.who() == "nobody"
    assert [reason for reason, *_ in endings] == [Ending.UNAVAILABLE]
    assert unrenewable.provider.count(AUTHORIZE) == asked


def mozillas_session(browser: Browser, expires_at: float) -> None:
    """Make the session look as mozilla's own backend leaves it."""
    session = browser.client.session
    del session["drf_apikit_login"]
    session["oidc_id_token_expiration"] = expires_at
    session.save()


def test_a_session_from_before_the_project_moved_here(browser: Browser) -> None:
    browser.log_in()
    mozillas_session(browser, browser.clock.now + 900)
    browser.clock.now += 899
    assert browser.who() == "alice@example.com"
    browser.clock.now += 1
    redirect = browser.client.get("/who/")
    assert query_of(redirect["Location"])["prompt"] == "none"
    browser.finish(browser.answer_of(redirect))
    assert tokens_of(browser.client.session) is not None
    assert browser.who() == "alice@example.com"


def test_such_a_session_cannot_outlive_a_provider_that_is_down(
    browser: Browser, endings: Any
) -> None:
    browser.log_in()
    mozillas_session(browser, browser.clock.now)
    browser.provider.answers[DISCOVERY] = as_text(500, "")
    browser.option(ISSUER=f"{browser.provider.url}/moved")
    assert browser.who() == "nobody"
    assert [reason for reason, *_ in endings] == [Ending.UNAVAILABLE]


def test_under_asgi_it_is_the_same(browser: Browser) -> None:
    browser.log_in()
    client = AsyncClient()
    client.cookies = browser.client.cookies

    async def visit() -> bytes:
        answer = await client.get("/who/")
        return bytes(answer.content)

    browser.clock.now += DUE
    assert async_to_sync(visit)() == b"alice@example.com"
    assert browser.provider.count(TOKEN) == 2
    browser.provider.grants.revoke_all()
    browser.clock.now += DUE
    assert async_to_sync(visit)() == b"nobody"
