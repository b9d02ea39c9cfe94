"""The example's own provider, which is a real one: what goes well, and what does not.

People and attackers come with a browser that fills in its pages.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from django.core.cache import cache

from drf_apikit.login.sessions import tokens_of
from drf_apikit.models import ExternalIdentity
from identity.spec import Client as Registered
from identity.spec import Spec, User, subject_of
from tests.example.identity.browsing import Browser
from tests.example.identity.running import Provider as Running
from tests.example.identity.running import running_provider
from tests.jose.minting import private_key, public_jwk
from tests.login.attacking import Stage, nobody_is_let_in, user_of
from tests.login.attacks import ATTACKS
from tests.login.provider import Provider

pytestmark = pytest.mark.django_db

HERE: Final = "http://testserver"
REFRESH: Final = "drf_apikit.login.middleware.SessionRefresh"
#: Seconds after which a session is due; its tokens live for an hour.
DUE: Final = 3000
SECRET: Final = "site: secret & more"


def registered(client_id: str, **members: Any) -> Registered:
    return Registered(
        client_id,
        redirect_uris=(f"{HERE}/oidc/callback/",),
        post_logout_redirect_uris=(f"{HERE}/",),
        skip_consent=True,
        **members,
    )


SPEC: Final = Spec(
    users=(User("ada", "ada-password", email="ada@example.com", name="Ada Lovelace"),),
    clients=(
        registered("site", client_secret=SECRET),
        registered("other", client_secret="other-secret"),
        registered("signing", jwks={"keys": [public_jwk("P-256", kid=None)]}),
        registered("public", type="public"),
    ),
)
PEM: Final = (
    private_key("P-256")
    .private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    .decode()
)
#: By the client: its secret, and its settings.
WAYS: Final[dict[str, tuple[str | None, dict[str, Any]]]] = {
    "site": (SECRET, {}),
    "site by form": (SECRET, {"CLIENT_AUTH_METHOD": "client_secret_post"}),
    "signing": (None, {"CLIENT_AUTH_METHOD": "private_key_jwt", "PRIVATE_KEY": PEM}),
    "public": (None, {"CLIENT_AUTH_METHOD": "none"}),
}
#: They need no provider that does wrong.
TRIED: Final = [
    name
    for name in ATTACKS
    if name.startswith(("a request", "a code", "the ", "an answer"))
    and not name.startswith("an answer with error")
    and name != "an answer again after a failure"
]


@dataclass
class Example(Provider):
    """The example's provider, with somebody's browser in the place of `visit()`."""

    browser: Browser | None = None

    def visit(self, url: str) -> str:
        """Sign in if that is wanted, and give where the browser is sent then."""
        assert self.browser is not None
        page = self.browser.open(url)
        if urlsplit(page.url).path == "/login/":
            page = self.browser.sign_in(page, "ada")
        assert page.status_code == 302, page.text
        location = page.headers["Location"]
        self.grants.secrets.extend(parse_qs(urlsplit(location).query).get("code", []))
        return location


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_provider(tmp_path_factory.mktemp("identity"), SPEC) as provider:
        yield provider


@pytest.fixture
def provider(running: Running) -> Iterator[Example]:
    browser = Browser(running)
    yield Example(running.issuer, browser=browser)
    browser.session.close()


@pytest.fixture
def example(stage: Stage, login_settings: Any) -> Stage:
    cache.clear()
    return at(stage, login_settings, "site")


def at(stage: Stage, login_settings: Any, way: str) -> Stage:
    secret, settings = WAYS[way]
    login_settings.OIDC_RP_CLIENT_ID = way.partition(" ")[0]
    login_settings.OIDC_RP_CLIENT_SECRET = secret
    apikit = login_settings.DRF_APIKIT
    login = {**apikit["LOGIN"], **settings}
    login_settings.DRF_APIKIT = {**apikit, "LOGIN": login}
    return stage


@pytest.mark.compliance("RFC 9700", "2.5")
@pytest.mark.parametrize("way", WAYS)
def test_a_good_login(example: Stage, login_settings: Any, way: str) -> None:
    response = at(example, login_settings, way).login("/who/")
    assert (response.status_code, response["Location"]) == (302, "/who/")
    assert user_of(example.client)
    identity = ExternalIdentity.objects.get()
    assert identity.issuer == example.provider.url
    assert identity.subject == subject_of("ada")
    for secret in (SECRET, PEM, *example.provider.grants.secrets):
        assert secret not in example.log.text


def test_whoever_comes_again_is_the_same(example: Stage) -> None:
    example.login()
    first = user_of(example.client)
    example.client.logout()
    example.login()
    assert user_of(example.client) == first


@pytest.mark.parametrize("name", TRIED)
def test_an_attack_lets_nobody_in(example: Stage, name: str) -> None:
    nobody_is_let_in(example, ATTACKS[name](example))


def test_logging_out_is_logging_out_there(
    example: Stage, provider: Example, login_settings: Any
) -> None:
    login_settings.LOGOUT_REDIRECT_URL = "/"
    example.login()
    response = example.client.post("/oidc/logout/")
    assert user_of(example.client) == ""
    query = dict(parse_qsl(urlsplit(response["Location"]).query))
    assert query["post_logout_redirect_uri"] == f"{HERE}/"
    assert provider.browser is not None
    page = provider.browser.open(response["Location"])
    page = provider.browser.submit(page, allow="true")
    assert page.headers["Location"] == f"{HERE}/?state={query['state']}"
    assert "Sign in" in provider.browser.open("/").text


def test_nobody_is_asked_again_by_a_silent_login(
    example: Stage, provider: Example
) -> None:
    provider.visit(example.begin()["Location"])
    assert example.finish(example.asked({"prompt": "none"})).status_code == 302
    assert user_of(example.client)


def test_who_is_signed_out_there_cannot_log_in_silently(example: Stage) -> None:
    response = example.finish(example.asked({"prompt": "none"}))
    nobody_is_let_in(example, response)
    assert response.status_code == 403


def test_a_session_lasts_as_long_as_the_provider_wants(
    example: Stage,
    provider: Example,
    login_settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    login_settings.MIDDLEWARE = [*login_settings.MIDDLEWARE, REFRESH]
    example.login()
    person, first = user_of(example.client), refresh_token(example)
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + DUE)
    assert user_of(example.client) == person
    second = refresh_token(example)
    assert second not in {None, first}
    sign_out(provider)
    monkeypatch.setattr(time, "time", lambda: clock() + 2 * DUE)
    assert user_of(example.client) == ""
    for secret in (SECRET, str(first), str(second)):
        assert secret not in example.log.text


def test_a_refresh_token_that_was_stolen_and_used_ends_the_session(
    example: Stage,
    running: Running,
    login_settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    login_settings.MIDDLEWARE = [*login_settings.MIDDLEWARE, REFRESH]
    example.login()
    stolen = {"grant_type": "refresh_token", "refresh_token": refresh_token(example)}
    assert running.token("site", **stolen).status_code == 200
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + DUE)
    assert user_of(example.client) == ""


def refresh_token(stage: Stage) -> str | None:
    tokens = tokens_of(stage.client.session)
    assert tokens is not None
    return tokens.refresh_token


def sign_out(provider: Example) -> None:
    """Leave at the provider, which ends what it has given to clients."""
    assert provider.browser is not None
    page = provider.browser.open("/logout/?client_id=site")
    provider.browser.submit(page, allow="true")
