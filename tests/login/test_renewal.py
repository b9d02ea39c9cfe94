import hashlib
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Any, Final

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.core.signals import got_request_exception
from django.db import OperationalError
from django.test import Client
from django.views.debug import ExceptionReporter

from drf_apikit.login import renewal, sessions
from drf_apikit.login.endings import Ending
from drf_apikit.login.sessions import ticket_of, tokens_of
from drf_apikit.login.vault import KeptTokens, keep
from drf_apikit.oidc.sharing import LockState, SharedLevel
from drf_apikit.signals import session_ended
from tests.databases import in_threads
from tests.login.answers import as_raw, as_refusal, as_text
from tests.login.provider import AUTHORIZE, JWKS, REVOKE, TOKEN, Provider, serving
from tests.login.website import MIDDLEWARE, Browser, open_website, query_of

pytestmark = pytest.mark.django_db(transaction=True)

ALICE: Final = "alice@example.com"
LIFE: Final = 300
DUE: Final = 241
ENGINES: Final = ("db", "cached_db", "cache", "file")


def curious(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Ask early what a user may, and keep a word on them."""

    def middleware(request: Any) -> Any:
        request.user.is_early = True
        request.user.has_perm("auth.view_group")
        return get_response(request)

    return middleware


@pytest.fixture
def browser(
    provider: Provider, login_settings: Any, monkeypatch: Any, tmp_path: Any
) -> Any:
    login_settings.SESSION_FILE_PATH = str(tmp_path)
    browser = open_website(provider, login_settings, monkeypatch)
    browser.log_in()
    yield browser
    renewal.forget_outages()


@pytest.fixture(params=ENGINES)
def stored(request: pytest.FixtureRequest, browser: Browser) -> Browser:
    """Log in with each kind of session."""
    browser.settings.SESSION_ENGINE = (
        f"django.contrib.sessions.backends.{request.param}"
    )
    browser.client = Client()
    browser.log_in()
    browser.provider.seen.clear()
    return browser


@pytest.fixture
def endings() -> Any:
    said: list[Ending] = []

    def hear(**values: Any) -> None:
        said.append(values["reason"])

    session_ended.connect(hear)
    yield said
    session_ended.disconnect(hear)


def tab_of(browser: Browser) -> Client:
    """Give another tab of the same browser."""
    tab = Client()
    tab.cookies = browser.client.cookies
    return tab


def visitor(browser: Browser, url: str = "/who/") -> Callable[[], str]:
    """Give a request of another tab."""
    tab = tab_of(browser)

    def visit() -> str:
        return str(tab.get(url).content.decode())

    return visit


def held_by(browser: Browser) -> KeptTokens:
    tokens = tokens_of(browser.client.session)
    assert tokens is not None
    return tokens


def renewals(browser: Browser) -> int:
    form = [each.form for each in browser.provider.seen if each.path == TOKEN]
    return sum(each.get("grant_type") == "refresh_token" for each in form)


def lock_of(browser: Browser) -> SharedLevel:
    ticket = ticket_of(browser.client.session)
    assert ticket is not None
    digest = hashlib.sha256(str(ticket.vault).encode()).hexdigest()
    return SharedLevel(f"drf_apikit:login:renewal:{digest}")


# Requests at the same time.


def test_of_requests_at_once_one_renews(database: str, browser: Browser) -> None:
    del database
    # Who does not wait for the one is out.
    browser.option(SESSION_GRACE=0)
    browser.clock.now += LIFE + 1
    assert in_threads(*(visitor(browser) for _ in range(8))) == [ALICE] * 8
    assert renewals(browser) == 1
    assert browser.who() == ALICE
    assert renewals(browser) == 1


def test_with_every_kind_of_session_one_renews(stored: Browser) -> None:
    stored.option(SESSION_GRACE=0)
    stored.clock.now += LIFE + 1
    assert in_threads(*(visitor(stored) for _ in range(6))) == [ALICE] * 6
    assert renewals(stored) == 1
    stored.clock.now += LIFE + 1
    assert in_threads(*(visitor(stored) for _ in range(6))) == [ALICE] * 6
    assert renewals(stored) == 2


def test_before_the_end_nobody_waits(browser: Browser) -> None:
    browser.clock.now += DUE
    held = browser.provider.hold(TOKEN)

    def others() -> list[str]:
        assert held.asked.wait(30)
        found = [visitor(browser)() for _ in range(3)]
        held.let_go()
        return found

    first, found = in_threads(lambda: [visitor(browser)()], others)
    assert first + found == [ALICE] * 4
    assert renewals(browser) == 1


def test_after_the_end_all_wait_for_what_one_gets(browser: Browser) -> None:
    browser.option(SESSION_GRACE=0)
    browser.clock.now += LIFE + 1
    held = browser.provider.hold(TOKEN)
    came = threading.Event()

    def other() -> str:
        assert held.asked.wait(30)
        came.set()
        return visitor(browser)()

    def let_go() -> str:
        assert came.wait(30)
        held.let_go()
        return ""

    assert in_threads(visitor(browser), other, let_go) == [ALICE, ALICE, ""]
    assert renewals(browser) == 1


def test_an_older_copy_of_the_session_does_no_harm(stored: Browser) -> None:
    stored.clock.now += DUE
    older = stored.client.session
    assert older["oidc_id_token_expiration"]
    stored.who()
    newest = held_by(stored).refresh_token
    # A slow request, which began before all that, saves what it knows.
    older["basket"] = ["pear"]
    older.save()
    assert held_by(stored).refresh_token == newest
    assert stored.who() == ALICE
    assert renewals(stored) == 1
    # The session knows again.
    expiration = stored.client.session["oidc_id_token_expiration"]
    assert expiration == held_by(stored).expires_at
    assert stored.client.session["basket"] == ["pear"]
    stored.clock.now += DUE
    assert stored.who() == ALICE
    assert renewals(stored) == 2


def test_what_others_put_into_the_session_stays(browser: Browser) -> None:
    browser.clock.now += DUE
    held, tab = browser.provider.hold(TOKEN), tab_of(browser)

    def use_tab() -> str:
        assert held.asked.wait(30)
        tab.post("/basket/")
        held.let_go()
        return ""

    in_threads(visitor(browser), use_tab)
    assert browser.client.get("/basket/").json() == {"basket": ["apple"]}
    assert renewals(browser) == 1


def test_without_a_shared_cache_a_slower_one_takes_what_is_there(
    browser: Browser,
) -> None:
    browser.settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    }
    browser.clock.now += LIFE + 1
    assert in_threads(visitor(browser), visitor(browser)) == [ALICE, ALICE]
    assert browser.who() == ALICE


def test_without_a_shared_cache_a_refusal_may_be_a_matter_of_a_moment(
    browser: Browser, monkeypatch: Any
) -> None:
    browser.settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    }
    browser.provider.grants.revoke_all()
    session, newer = browser.client.session, browser.clock.now + 1000
    ticket = ticket_of(session)
    assert ticket is not None
    wait = threading.Event.wait

    def beat(self: threading.Event, timeout: float | None = None) -> bool:
        """Let another process store what it has got, while this one waits."""
        if timeout != 0.05:
            return wait(self, timeout)
        tokens = KeptTokens(renew_at=newer, expires_at=newer, refresh_token="r")
        assert keep(session, ticket.vault, tokens)
        return False

    monkeypatch.setattr(threading.Event, "wait", beat)
    browser.clock.now += DUE
    assert browser.who() == ALICE
    assert held_by(browser).renew_at == newer


def test_without_a_shared_cache_a_refusal_is_believed_after_a_moment(
    browser: Browser, monkeypatch: Any, endings: list[Ending]
) -> None:
    browser.settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    }
    monkeypatch.setattr(renewal, "_STORING", 0.1)
    browser.provider.grants.revoke_all()
    browser.clock.now += DUE
    assert browser.who() == "nobody"
    assert endings == [Ending.REFUSED]


# What the provider says.


@pytest.mark.compliance("RFC 6749", "5.2")
def test_what_the_provider_takes_no_more_ends_the_session(
    stored: Browser, endings: list[Ending]
) -> None:
    stored.provider.grants.revoke_all()
    session = stored.client.session
    key, ticket = str(session.session_key), ticket_of(session)
    assert ticket is not None
    stored.clock.now += DUE
    assert stored.who() == "nobody"
    assert endings == [Ending.REFUSED]
    assert not session.exists(key)
    assert not session.exists(str(ticket.vault))


@pytest.mark.compliance("OIDC Core 1.0", "12.2")
@pytest.mark.parametrize(
    ("claims", "ending"),
    [
        ({"sub": "bob"}, Ending.ANOTHER_USER),
        ({"aud": "another"}, Ending.INVALID),
        ({"iss": "https://evil.example"}, Ending.INVALID),
        ({"nonce": "another"}, Ending.INVALID),
        ({"at_hash": "x"}, Ending.INVALID),
        ({"exp": 1}, Ending.INVALID),
        ({"iat": 1}, Ending.INVALID),
        ({"auth_time": 1}, Ending.INVALID),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_id_token_that_is_not_good_ends_the_session(
    browser: Browser, endings: list[Ending], claims: Any, ending: Ending
) -> None:
    browser.provider.claims = claims
    browser.clock.now += DUE
    assert browser.who() == "nobody"
    assert endings == [ending]


@pytest.mark.parametrize(
    "tokens", [{"id_token": None}, {"refresh_token": None}, {"id_token": ""}]
)
def test_a_provider_may_send_less(browser: Browser, tokens: Any) -> None:
    before = held_by(browser)
    browser.provider.tokens = tokens
    browser.clock.now += DUE
    assert browser.who() == ALICE
    after = held_by(browser)
    assert after.renew_at > before.renew_at
    assert after.id_token
    assert (after.refresh_token == before.refresh_token) is ("refresh_token" in tokens)
    assert after.claims == before.claims


def test_roles_that_the_provider_takes_away_are_gone(browser: Browser) -> None:
    browser.option(GROUPS_CLAIM="roles", STAFF=["boss"])
    browser.provider.claims["roles"] = ["boss"]
    browser.log_in()
    users = get_user_model().objects
    assert users.get().is_staff
    browser.provider.claims["roles"] = []
    browser.clock.now += DUE
    browser.who()
    assert not users.get().is_staff


def test_the_very_request_has_what_the_provider_leaves(browser: Browser) -> None:
    browser.option(GROUPS_CLAIM="roles", STAFF=["boss"])
    browser.provider.claims["roles"] = ["boss"]
    browser.log_in()
    browser.provider.claims["roles"] = []
    browser.clock.now += DUE
    answer = browser.client.get("/who/")
    assert not answer.wsgi_request.user.is_staff


def test_permissions_that_were_asked_for_early_are_asked_for_again(
    browser: Browser,
) -> None:
    browser.settings.MIDDLEWARE = [
        *MIDDLEWARE[:-1],
        f"{__name__}.curious",
        MIDDLEWARE[-1],
    ]
    permission = Permission.objects.get(codename="view_group")
    Group.objects.create(name="bosses").permissions.add(permission)
    browser.option(GROUPS_CLAIM="roles", GROUPS={"boss": "bosses"})
    browser.provider.claims["roles"] = ["boss"]
    browser.client = Client()
    browser.log_in()
    may = browser.client.get("/who/").wsgi_request.user.has_perm("auth.view_group")
    assert may
    browser.provider.claims["roles"] = []
    browser.clock.now += DUE
    user: Any = browser.client.get("/who/").wsgi_request.user
    assert user.is_early
    assert not user.has_perm("auth.view_group")


def test_who_was_deleted_meanwhile_is_no_fault(
    browser: Browser, monkeypatch: Any
) -> None:
    def delete(*_: Any) -> None:
        get_user_model().objects.all().delete()

    monkeypatch.setattr(renewal, "regrant", delete)
    browser.clock.now += DUE
    assert browser.who() == ALICE
    assert browser.who() == "nobody"


def test_grants_that_cannot_be_written_are_with_the_next_renewal(
    browser: Browser, monkeypatch: Any
) -> None:
    browser.option(GROUPS_CLAIM="roles", STAFF=["boss"])
    browser.provider.claims["roles"] = ["boss"]

    def fail(*_: Any) -> None:
        raise OperationalError

    # A fault that cannot be provoked.
    with monkeypatch.context() as context:
        context.setattr(renewal, "regrant", fail)
        browser.clock.now += DUE
        assert browser.who() == ALICE
    assert held_by(browser).renew_at > browser.clock.now
    users = get_user_model().objects
    assert not users.get().is_staff
    browser.clock.now += DUE
    assert browser.who() == ALICE
    assert users.get().is_staff
    assert renewals(browser) == 2


def test_a_fault_of_the_project_holds_nobody_up(
    browser: Browser, monkeypatch: Any
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(renewal, "regrant", fail)
    browser.clock.now += DUE
    with pytest.raises(RuntimeError):
        browser.who()
    with (shared := lock_of(browser)).session():
        assert shared.lock(browser.clock.now, 14).state is LockState.MINE


def test_max_age_is_a_matter_of_the_login(browser: Browser) -> None:
    browser.option(MAX_AGE=0, LEEWAY=0)
    browser.clock.now += DUE
    assert browser.who() == ALICE
    assert renewals(browser) == 1


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        ("access_denied", Ending.REFUSED),
        ("account_selection_required", Ending.INTERACTION_REQUIRED),
        ("consent_required", Ending.INTERACTION_REQUIRED),
        ("interaction_required", Ending.INTERACTION_REQUIRED),
        ("login_required", Ending.INTERACTION_REQUIRED),
    ],
)
def test_some_providers_say_it_in_other_words(
    browser: Browser, endings: list[Ending], error: str, ending: Ending
) -> None:
    browser.provider.answers[TOKEN] = as_refusal(400, error)
    browser.clock.now += DUE
    assert browser.who() == "nobody"
    assert endings == [ending]


OUTAGES: Final = [
    as_text(500, "down"),
    as_text(200, "nonsense"),
    as_refusal(401, "invalid_client"),
    as_refusal(400, "temporarily_unavailable"),
    as_raw(b""),
]


@pytest.mark.parametrize("answer", OUTAGES, ids=range(len(OUTAGES)))
def test_a_provider_that_is_away_is_waited_for(
    browser: Browser, endings: list[Ending], answer: Any
) -> None:
    browser.provider.answers[TOKEN] = answer
    browser.clock.now += LIFE + 1
    assert [browser.who() for _ in range(3)] == [ALICE] * 3
    assert renewals(browser) == 1
    browser.clock.now += 20
    assert browser.who() == ALICE
    assert renewals(browser) == 2
    browser.clock.now += 20
    del browser.provider.answers[TOKEN]
    assert browser.who() == ALICE
    assert held_by(browser).renew_at > browser.clock.now
    assert endings == []


@pytest.mark.parametrize("grace", [0, 300])
def test_but_not_for_ever(browser: Browser, endings: list[Ending], grace: int) -> None:
    browser.option(SESSION_GRACE=grace)
    browser.provider.answers[TOKEN] = as_text(500, "down")
    browser.clock.now += LIFE + grace - 1
    assert browser.who() == ALICE
    browser.clock.now += 1
    assert browser.who() == "nobody"
    assert endings == [Ending.UNAVAILABLE]


def test_other_processes_are_told_of_an_outage(browser: Browser) -> None:
    browser.provider.answers[TOKEN] = as_text(500, "down")
    browser.clock.now += LIFE + 1
    assert browser.who() == ALICE
    renewal.forget_outages()
    assert browser.who() == ALICE
    assert renewals(browser) == 1


def test_for_other_sessions_it_is_away_as_well(browser: Browser) -> None:
    other = Browser(browser.provider, browser.settings, clock=browser.clock)
    other.log_in()
    browser.provider.answers[TOKEN] = as_text(500, "down")
    browser.clock.now += LIFE + 1
    assert [browser.who(), other.who()] == [ALICE, ALICE]
    assert renewals(browser) == 1
    # It may be back, and who would have to go is worth an attempt.
    browser.option(SESSION_GRACE=0)
    assert other.who() == "nobody"
    assert renewals(browser) == 2


def test_a_refusal_is_a_matter_of_one_session(browser: Browser) -> None:
    other = Browser(browser.provider, browser.settings, clock=browser.clock)
    other.log_in()
    browser.provider.answers[TOKEN] = as_refusal(400, "invalid_request")
    browser.clock.now += DUE
    assert [browser.who() for _ in range(3)] == [ALICE] * 3
    assert renewals(browser) == 1
    browser.provider.answers.clear()
    assert other.who() == ALICE
    assert renewals(browser) == 2
    assert held_by(other).renew_at > browser.clock.now


@pytest.mark.parametrize(("times", "is_kept"), [(1, True), (2, True), (3, False)])
def test_a_database_may_fail_for_a_moment(
    browser: Browser, monkeypatch: Any, *, times: int, is_kept: bool
) -> None:
    save, seen = Session.save, []

    def fragile(self: Session, *args: Any, **options: Any) -> None:
        seen.append(self)
        if len(seen) <= times:
            message = "database is locked"
            raise OperationalError(message)
        save(self, *args, **options)

    # A fault that cannot be provoked.
    monkeypatch.setattr(Session, "save", fragile)
    browser.clock.now += DUE
    assert browser.who() == ALICE
    assert browser.provider.count(REVOKE) == 0
    assert (held_by(browser).renew_at > browser.clock.now) is is_kept
    # It is an outage, and of this session alone.
    assert browser.who() == ALICE
    assert renewals(browser) == 1
    other = Browser(browser.provider, browser.settings, clock=browser.clock)
    other.log_in()
    browser.clock.now += DUE
    assert other.who() == ALICE
    assert held_by(other).renew_at > browser.clock.now


def test_no_error_report_shows_what_the_provider_gave(
    browser: Browser, monkeypatch: Any
) -> None:
    browser.settings.OIDC_STORE_ACCESS_TOKEN = True
    browser.client.raise_request_exception = False
    reports: list[str] = []

    def hear(request: Any = None, **_: Any) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.append(str(reporter.get_traceback_html()))
        reports.append(str(reporter.get_traceback_text()))

    def fail(*_: Any, **__: Any) -> None:
        message = "the store of the sessions is away"
        raise ConnectionError(message)

    got_request_exception.connect(hear)
    places: list[tuple[Any, str]] = [
        (SessionStore, "save"),
        (renewal, "verify_id_token"),
        (renewal, "token_request"),
        (renewal, "regrant"),
        (sessions, "edit"),
    ]
    for place, name in places:
        browser.log_in()
        browser.clock.now += DUE
        # Faults that cannot be provoked.
        with monkeypatch.context() as context:
            context.setattr(place, name, fail)
            assert browser.client.get("/who/").status_code == 500
    got_request_exception.disconnect(hear)
    assert len(reports) == 2 * len(places)
    for secret in browser.provider.grants.secrets:
        assert not [report for report in reports if secret in report]


def test_what_another_provider_gave_is_not_for_this_one(browser: Browser) -> None:
    token = held_by(browser).refresh_token
    ticket = ticket_of(browser.client.session)
    assert ticket is not None
    with serving() as other:
        other.clock = browser.clock
        browser.option(ISSUER=other.url)
        browser.clock.now += DUE
        assert browser.who() == ALICE
        # What is of no use any more is not kept.
        assert not browser.client.session.exists(str(ticket.vault))
        browser.clock.now += LIFE
        redirect = browser.client.get("/who/")
        assert redirect["Location"].startswith(other.url + AUTHORIZE)
        assert query_of(redirect["Location"])["prompt"] == "none"
        assert not [each for each in other.seen if token in each.form.values()]
    assert renewals(browser) == 0


def test_a_refresh_token_is_kept_though_the_rest_cannot_be_judged(
    browser: Browser,
) -> None:
    before = held_by(browser)
    browser.provider.rotate()
    browser.provider.answers[JWKS] = as_text(500, "down")
    browser.clock.now += LIFE + 1
    assert browser.who() == ALICE
    after = held_by(browser)
    assert after.refresh_token in browser.provider.grants.refresh
    assert after.renew_at == before.renew_at
    browser.clock.now += 60
    browser.provider.rotate("RSA")
    assert browser.who() == ALICE
    assert held_by(browser).renew_at > browser.clock.now


def test_without_any_key_nothing_can_be_judged(browser: Browser) -> None:
    browser.settings.OIDC_OP_JWKS_ENDPOINT = browser.provider.url + "/nowhere"
    browser.clock.now += LIFE + 1
    assert browser.who() == ALICE
    assert held_by(browser).refresh_token in browser.provider.grants.refresh
    browser.clock.now += 300
    assert browser.who() == "nobody"


# What happens meanwhile.


def test_one_that_dies_holds_nobody_up(browser: Browser) -> None:
    browser.clock.now += DUE
    shared = lock_of(browser)
    with shared.session():
        assert shared.lock(browser.clock.now, 14).state is LockState.MINE
    assert browser.who() == ALICE
    assert renewals(browser) == 0
    browser.clock.now += 15
    assert browser.who() == ALICE
    assert renewals(browser) == 1


def test_after_the_end_nobody_waits_for_ever(
    browser: Browser, monkeypatch: Any
) -> None:
    browser.clock.now += LIFE + 1
    shared = lock_of(browser)
    with shared.session():
        assert shared.lock(browser.clock.now, 14).state is LockState.MINE
    monkeypatch.setattr(time, "monotonic", count(step=5).__next__)
    # As while the provider is away.
    assert browser.who() == ALICE
    assert renewals(browser) == 0


def test_who_logs_out_meanwhile_is_out(browser: Browser) -> None:
    browser.clock.now += DUE
    session = browser.client.session
    key = str(session.session_key)
    held, tab = browser.provider.hold(TOKEN), tab_of(browser)

    def leave() -> str:
        assert held.asked.wait(30)
        tab.logout()
        held.let_go()
        return ""

    in_threads(visitor(browser), leave)
    assert not session.exists(key)
    # What the provider gave to a session that is no more is given back.
    assert browser.provider.count(REVOKE) == 1
    assert all(each.revoked for each in browser.provider.grants.refresh.values())


@pytest.mark.parametrize("refused", [True, False])
def test_a_login_anew_meanwhile_is_not_undone(browser: Browser, refused: bool) -> None:
    browser.clock.now += DUE
    tab = Browser(browser.provider, browser.settings, tab_of(browser), browser.clock)
    redirect = browser.answer_of(tab.begin())
    held = browser.provider.hold(TOKEN)
    answer = browser.provider.answers

    def log_in() -> str:
        assert held.asked.wait(30)
        browser.provider.held.clear()
        tab.finish(redirect)
        if refused:
            answer[TOKEN] = as_refusal(400, "invalid_grant")
        held.let_go()
        return ""

    in_threads(visitor(browser), log_in)
    answer.clear()
    assert browser.who() == ALICE
    assert held_by(browser).renew_at > browser.clock.now


def test_tokens_that_are_lost_leave_the_way_through_the_browser(
    stored: Browser,
) -> None:
    session = stored.client.session
    ticket = ticket_of(session)
    assert ticket is not None
    session.delete(ticket.vault)
    stored.clock.now += DUE
    assert stored.who() == ALICE
    stored.clock.now += LIFE
    assert stored.client.get("/who/").status_code == 302


def test_a_record_that_is_gone_is_not_made_anew(stored: Browser) -> None:
    session, tokens = stored.client.session, held_by(stored)
    ticket = ticket_of(session)
    assert ticket is not None
    session.delete(ticket.vault)
    assert keep(session, ticket.vault, tokens) is None
    assert not session.exists(str(ticket.vault))


def test_no_cache_knows_the_tokens(browser: Browser) -> None:
    browser.clock.now += DUE
    browser.who()
    kept = str(vars(caches["default"])["_cache"])
    assert not any(token in kept for token in browser.provider.grants.secrets)


@pytest.mark.compliance("OIDC Core 1.0", "12.2")
@pytest.mark.parametrize("claims", [{"scope": "openid email"}, {"scp": ["openid"]}])
def test_an_id_token_without_nonce_may_have_scopes(
    browser: Browser, claims: dict[str, Any]
) -> None:
    browser.provider.claims = {**claims, "nonce": None}
    browser.clock.now += DUE
    assert browser.who() == ALICE
    assert renewals(browser) == 1
