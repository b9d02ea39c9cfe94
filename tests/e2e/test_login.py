"""A person with a browser: login, consent, use, expiry, logout; and Swagger UI."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from demo.cast import Cast
from demo.processes import Services
from demo.requirements import choose_ports
from demo.visitor import Visitor
from tests.e2e.browser import Browser
from tests.e2e.contrast import contrast

ROWS = 2000
#: Seconds that an access token lives; the API lets it in for a while longer.
LIFE = 2
SECONDS = 30.0
#: What the provider knows of somebody's consents and sessions of applications.
FORGET = (
    (
        "DELETE FROM oauth2_provider_refreshtoken WHERE user_id"
        " = (SELECT id FROM identity_user WHERE username = ?)"
    ),
    (
        "DELETE FROM oauth2_provider_accesstoken WHERE user_id"
        " = (SELECT id FROM identity_user WHERE username = ?)"
    ),
)
COUNT = (
    "SELECT count(*) FROM oauth2_provider_refreshtoken WHERE user_id"
    " = (SELECT id FROM identity_user WHERE username = ?)"
)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The provider and the ledger, with books."""
    port, identity_port = choose_ports(None, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("login")))
        services = Services(
            Cast(),
            port=port,
            identity_port=identity_port,
            identity_env={"IDENTITY_ACCESS_TOKEN_SECONDS": str(LIFE)},
        )
        with services:
            services.seed(ROWS)
            services.start()
            yield services


@pytest.fixture(scope="module", autouse=True)
def sessions(example: Services) -> dict[str, str]:
    """Log in two more people, so that their sessions are due when all else is done.

    Nobody logs in by their names a second time: the provider gives the `auth_time`
    of the last login to all sessions of a person.
    """
    return {name: session_of(name, example) for name in ("bob", "operator")}


def session_of(name: str, example: Services) -> str:
    visitor = Visitor()
    page = visitor.open(f"{example.api}/accounts/")
    password = example.cast.passwords[name]
    page = visitor.submit(page, "username", username=name, password=password)
    page = visitor.submit(page, "client_id", allow="true")
    assert page.url == f"{example.api}/accounts/"
    return str(visitor.session.cookies["sessionid"])


@pytest.fixture
def stranger(browser: Browser) -> Iterator[Browser]:
    """A browser that nobody knows yet, nor afterwards."""
    browser.send("Network.clearBrowserCookies")
    yield browser
    browser.send("Network.clearBrowserCookies")


@pytest.fixture
def alice(stranger: Browser, example: Services) -> Browser:
    """Log in at the web page."""
    stranger.open(f"{example.api}/accounts/")
    sign_in(stranger, example)
    assert location(stranger) == f"{example.api}/accounts/"
    return stranger


def sign_in(browser: Browser, example: Services) -> None:
    """Say at the provider who it is; allow it, if that is asked."""
    identify(browser, example)
    if location(browser).startswith(f"{example.issuer}/authorize/"):
        browser.click("[name=allow]")


def identify(browser: Browser, example: Services) -> None:
    assert location(browser).startswith(f"{example.issuer}/login/")
    browser.fill("[name=username]", "alice")
    browser.fill("[name=password]", example.cast.passwords["alice"])
    browser.click("[type=submit]")


def location(browser: Browser) -> str:
    return str(browser.evaluate("location.href"))


def provider(example: Services, name: str, *statements: str) -> list[Any]:
    """Look into the provider's database, or change it; give the last answer."""
    with closing(sqlite3.connect(example.folder / "identity.sqlite3")) as books, books:
        return [books.execute(each, [name]).fetchall() for each in statements][-1]


def rows(browser: Browser) -> list[str]:
    links = "[...document.querySelectorAll('td a')].map(a => a.pathname)"
    found: list[str] = browser.evaluate(links)
    return found


def test_from_the_login_to_the_logout(stranger: Browser, example: Services) -> None:
    browser = stranger
    provider(example, "alice", *FORGET)
    browser.open(f"{example.api}/")
    browser.click("main .button")
    identify(browser, example)
    # The first time, the person is asked.
    assert "Allow Payments ledger?" in browser.text()
    browser.click("[name=allow]")
    assert location(browser) == f"{example.api}/accounts/"
    assert "Current account" in browser.text()
    browser.click(".who button")
    assert location(browser).startswith(f"{example.issuer}/logout/")
    browser.click("[name=allow]")
    # Nobody is known at either of them now.
    assert location(browser).startswith(f"{example.api}/")
    assert "Log in" in browser.text()
    browser.open(f"{example.issuer}/")
    assert "You are signed in" not in browser.text()
    browser.open(f"{example.api}/accounts/")
    assert location(browser).startswith(f"{example.issuer}/login/")


def test_who_allows_nothing_is_told_so(stranger: Browser, example: Services) -> None:
    provider(example, "alice", *FORGET)
    stranger.open(f"{example.api}/accounts/")
    identify(stranger, example)
    stranger.click("[type=submit]:not([name=allow])")
    assert location(stranger).startswith(f"{example.api}/oidc/callback/")
    assert "access_denied" in stranger.text()
    # Who is asked again can still say yes.
    stranger.click("a.again")
    stranger.click("[name=allow]")
    assert location(stranger) == f"{example.api}/accounts/"


def test_the_pager_and_a_form_that_is_clicked_twice(
    alice: Browser, example: Services
) -> None:
    alice.open(f"{example.api}/transfers/")
    newest = rows(alice)
    assert len(newest) == 15
    alice.click("[rel=next]")
    assert rows(alice)
    assert not set(rows(alice)) & set(newest)
    alice.click("[rel=prev]")
    assert rows(alice) == newest
    # Words as on the page: the error is at its field, and what was typed stays.
    alice.click("nav a[href='/transfers/new/']")
    alice.evaluate("document.querySelector('[name=source]').selectedIndex = 1")
    alice.fill("[name=target]", "5")
    alice.fill("[name=amount]", "1,000")
    alice.fill("[name=reference]", "twice")
    alice.click(".fields [type=submit]")
    field = "document.querySelector('[name=amount]')"
    described = f"document.getElementById({field}.getAttribute('aria-describedby')"
    assert "at most 2 digits" in alice.evaluate(f"{described}.split(' ')[1]).innerText")
    assert alice.evaluate("document.querySelector('[name=reference]').value") == "twice"
    alice.fill("[name=amount]", "10.00")
    alice.press(".fields [type=submit]", times=2)
    alice.until("document.querySelector('h1').innerText.startsWith('Transfer ')")
    made = alice.evaluate("location.pathname")
    alice.open(f"{example.api}/transfers/")
    # The second click may have been on its way to the page of the transfer.
    alice.until("location.pathname === '/transfers/' && document.querySelector('td a')")
    assert rows(alice)[0] == made
    assert set(rows(alice)) - set(newest) == {made}


def test_all_pages_fit_and_can_be_read(alice: Browser, example: Services) -> None:
    screen = {"width": 360, "height": 640, "deviceScaleFactor": 1, "mobile": True}
    alice.send("Emulation.setDeviceMetricsOverride", **screen)
    for path in ("/", "/accounts/", "/transfers/", "/transfers/new/", "/transfers/0/"):
        alice.open(f"{example.api}{path}")
        assert alice.evaluate("document.documentElement.scrollWidth") <= 360
        assert alice.evaluate("document.scripts.length") == 0
        assert alice.evaluate("document.querySelectorAll('h1, main').length") == 2
    loaded = [url for url in alice.requested if not url.startswith("data:")]
    assert all(url.startswith((example.api, example.issuer)) for url in loaded)
    alice.open(f"{example.api}/transfers/new/")
    labelled = "[...document.querySelectorAll('.field :is(input, select)')]"
    assert alice.evaluate(f"{labelled}.every(e => e.labels.length === 1)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out(stranger: Browser, example: Services, scheme: str) -> None:
    stranger.prefer(scheme)
    stranger.open(f"{example.api}/")
    grounds = {"h1": "body", ".hint": "body", ".button": ".button", ".brand": "header"}
    for text, ground in grounds.items():
        ink, paper = (
            stranger.evaluate(f"getComputedStyle(document.querySelector('{one}')).{of}")
            for one, of in ((text, "color"), (ground, "backgroundColor"))
        )
        # WCAG 2.2, 1.4.3: minimum contrast.
        assert contrast(ink, paper) >= 4.5, text


def test_the_browsable_api_has_a_login_button(
    stranger: Browser, example: Services
) -> None:
    page = f"{example.api}/api/transfers/"
    stranger.open(page)
    assert "Authentication" in stranger.text()
    stranger.click("a[href^='/api-auth/login/']")
    sign_in(stranger, example)
    assert location(stranger) == page
    assert '"count_relation": "exact"' in stranger.text()
    assert "alice" in stranger.evaluate("document.querySelector('.navbar').innerText")
    # The session is good for no page of another site.
    post = "{method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'}"
    stranger.evaluate(f"void fetch('', {post}).then(r => self.answered = r.status)")
    stranger.until("self.answered")
    assert stranger.evaluate("self.answered") == 403


def test_swagger_ui_signs_in_and_calls_the_api(
    stranger: Browser, example: Services
) -> None:
    browser, form = stranger, ".auth-container:has([data-name=clientId])"
    browser.open(f"{example.api}/api/docs/")
    browser.until("document.querySelector('.auth-wrapper .authorize')")
    browser.press(".auth-wrapper .authorize")
    # Its own form, filled in by the settings: the client, and both scopes.
    client = "document.querySelector('.auth-container input[data-name=clientId]')"
    browser.until(client)
    assert browser.evaluate(f"{client}.value") == "ledger-app"
    ticked = "document.querySelectorAll('.scopes input:checked').length"
    assert browser.evaluate(ticked) == 2
    browser.press(f"{form} .auth-btn-wrapper .authorize")
    with browser.window(example.issuer) as window:
        identify(window, example)
        # It closes itself.
        window.press("[name=allow]")
    containers = "[...document.querySelectorAll('.auth-container')]"
    browser.until(f"{containers}.some(one => one.innerText.match('Logout'))")
    browser.press(".auth-btn-wrapper .btn-done")
    operation = '.opblock-get:has([data-path="/api/accounts/"])'
    browser.press(f"{operation} .opblock-summary-control")
    browser.until(f"document.querySelector('{operation} .try-out__btn')")
    browser.press(f"{operation} .try-out__btn")
    browser.until(f"document.querySelector('{operation} .execute')")
    browser.press(f"{operation} .execute")
    status = f"{operation} .live-responses-table .response .response-col_status"
    browser.until(f"document.querySelector('{status}')")
    assert browser.evaluate(f"document.querySelector('{status}').innerText") == "200"


# The last one: its sessions become due while the others run.
def test_the_session_is_renewed_and_ends_with_the_provider(
    stranger: Browser, example: Services, sessions: dict[str, str]
) -> None:
    accounts, deadline = f"{example.api}/accounts/", time.monotonic() + SECONDS
    take_over(stranger, accounts, sessions["bob"])
    before = provider(example, "bob", COUNT)
    stranger.requested.clear()
    while provider(example, "bob", COUNT) == before:
        assert time.monotonic() < deadline
        stranger.open(accounts)
        assert location(stranger) == accounts
    # The browser was not sent anywhere for that.
    assert not [url for url in stranger.requested if url.startswith(example.issuer)]
    # Somebody ends it all at the provider.
    provider(example, "operator", *FORGET)
    take_over(stranger, accounts, sessions["operator"])
    while location(stranger) == accounts:
        assert time.monotonic() < deadline
        stranger.open(accounts)
    assert location(stranger).startswith(f"{example.issuer}/login/")
    stranger.open(f"{example.api}/")
    assert "Log in" in stranger.text()


def take_over(browser: Browser, url: str, session: str) -> None:
    browser.send("Network.setCookie", url=url, name="sessionid", value=session)
