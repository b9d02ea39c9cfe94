"""The authorization code flow as a person and a client go through it."""

from urllib.parse import urlsplit

import pytest

from identity.spec import subject_of
from tests.example.identity.browsing import Browser, Proof, answer_of, query_of
from tests.example.identity.running import CALLBACK, Provider

EVERYTHING = "openid profile email offline_access ledger:read ledger:write"


def test_whole_flow_gives_tokens_for_the_person(
    provider: Provider, browser: Browser
) -> None:
    proof = Proof()
    page = browser.open(
        browser.authorization_url(
            "web", proof, scope=EVERYTHING, nonce="n-1", prompt="consent"
        )
    )
    assert urlsplit(page.url).path == "/login/"
    page = browser.sign_in(page, "ada")
    assert "Ledger web app" in page.text
    assert "Make transfers and change accounts" in page.text
    assert "127.0.0.1:8000" in page.text
    answer = answer_of(browser.submit(page, allow="true"))
    assert answer.keys() == {"code", "state", "iss"}
    assert (answer["state"], answer["iss"]) == ("a state & more", provider.issuer)

    response = provider.exchange("web", answer["code"], proof.verifier)
    assert response.status_code == 200, response.text
    tokens = response.json()
    access = provider.verified(tokens["access_token"])
    assert access["header"]["typ"] == "at+jwt"
    assert access["payload"]["sub"] == subject_of("ada")
    assert access["payload"]["client_id"] == "web"
    assert access["payload"]["scope"] == EVERYTHING
    identity = provider.verified(tokens["id_token"], audience="web")["payload"]
    assert identity["sub"] == subject_of("ada")
    assert identity["nonce"] == "n-1"
    assert identity["name"] == "Ada Lovelace"
    assert identity["email"] == "ada@example.com"
    assert tokens["refresh_token"].count(".") == 0


def test_user_info_takes_the_token_for_the_api(
    provider: Provider, browser: Browser
) -> None:
    tokens = sign_in(provider, browser, "web", scope="openid profile ledger:read")
    response = provider.request(
        "GET",
        "/userinfo/",
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    )
    assert response.status_code == 200
    assert response.json() == {
        "sub": subject_of("ada"),
        "name": "Ada Lovelace",
        "preferred_username": "ada",
    }


def test_opaque_client_gets_opaque_access_tokens_for_people(
    provider: Provider, browser: Browser
) -> None:
    tokens = sign_in(provider, browser, "server")
    assert tokens["access_token"].count(".") == 0
    assert provider.introspect(tokens["access_token"]).json()["sub"] == (
        subject_of("ada")
    )


def test_cancelling_tells_the_client(provider: Provider, browser: Browser) -> None:
    page = browser.open(browser.authorization_url("web", Proof(), prompt="consent"))
    page = browser.sign_in(page, "bob")
    answer = answer_of(browser.submit(page))
    assert answer["error"] == "access_denied"
    assert answer["state"] == "a state & more"
    assert answer["iss"] == provider.issuer


def test_consent_is_remembered_until_the_client_asks_again(browser: Browser) -> None:
    sign_in(browser.provider, browser, "web")
    assert "code" in answer_of(browser.open(browser.authorization_url("web", Proof())))
    again = browser.open(browser.authorization_url("web", Proof(), prompt="consent"))
    assert "Allow Ledger web app?" in again.text


@pytest.mark.parametrize("scope", ["openid ledger:read", "ledger:read"])
def test_prompt_none_without_a_session(
    provider: Provider, browser: Browser, scope: str
) -> None:
    url = browser.authorization_url("web", Proof(), prompt="none", scope=scope)
    answer = answer_of(browser.open(url))
    assert answer["error"] == "login_required"
    assert answer["state"] == "a state & more"
    assert answer["iss"] == provider.issuer


@pytest.mark.parametrize("scope", ["openid ledger:write", "ledger:write"])
def test_prompt_none_without_consent(browser: Browser, scope: str) -> None:
    sign_in(browser.provider, browser, "web", username="bob")
    url = browser.authorization_url(
        "web", Proof(), prompt="none", scope=scope, approval_prompt="force"
    )
    answer = answer_of(browser.open(url))
    assert answer["error"] == "consent_required"
    assert answer["state"] == "a state & more"


def test_prompt_none_with_session_and_consent(browser: Browser) -> None:
    tokens = sign_in(browser.provider, browser, "web")
    url = browser.authorization_url(
        "web", Proof(), prompt="none", id_token_hint=tokens["id_token"]
    )
    assert "code" in answer_of(browser.open(url))


def test_prompt_none_for_somebody_else(browser: Browser) -> None:
    tokens = sign_in(browser.provider, browser, "web", username="bob")
    other = Browser(browser.provider)
    sign_in(browser.provider, other, "web", username="ada")
    url = browser.authorization_url(
        "web", Proof(), prompt="none", id_token_hint=tokens["id_token"]
    )
    assert answer_of(other.open(url))["error"] == "login_required"


def test_prompt_login_asks_again(browser: Browser) -> None:
    sign_in(browser.provider, browser, "web")
    page = browser.open(browser.authorization_url("web", Proof(), prompt="login"))
    assert "You are signed in as <strong>ada</strong>" in page.text


def test_max_age_asks_again_when_it_is_over(browser: Browser) -> None:
    sign_in(browser.provider, browser, "web")
    url = browser.authorization_url("web", Proof(), max_age=0)
    page = browser.open(url)
    assert urlsplit(page.url).path == "/login/"
    assert "code" in answer_of(browser.sign_in(page, "ada"))
    silent = browser.authorization_url("web", Proof(), max_age=0, prompt="none")
    assert answer_of(browser.open(silent))["error"] == "login_required"


@pytest.mark.parametrize("max_age", ["3600", "", "soon", "-1", "9" * 30])
def test_max_age_that_is_not_over_asks_nothing(browser: Browser, max_age: str) -> None:
    sign_in(browser.provider, browser, "web")
    for prompt in (None, "none"):
        url = browser.authorization_url("web", Proof(), max_age=max_age, prompt=prompt)
        assert "code" in answer_of(browser.open(url))


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        pytest.param(
            {"code_challenge": None, "code_challenge_method": None},
            "invalid_request",
            id="no-pkce",
        ),
        pytest.param({"code_challenge": ""}, "invalid_request", id="empty-challenge"),
        pytest.param({"code_challenge": "x" * 42}, "invalid_request", id="short"),
        pytest.param(
            {"code_challenge_method": "plain"}, "invalid_request", id="plain-pkce"
        ),
        pytest.param(
            {"code_challenge_method": None}, "invalid_request", id="plain-by-default"
        ),
        pytest.param({"response_type": "token"}, "unauthorized_client", id="implicit"),
        pytest.param(
            {"response_type": "code id_token"}, "unauthorized_client", id="hybrid"
        ),
        pytest.param({"response_type": None}, "invalid_request", id="no-type"),
        pytest.param({"scope": "openid unheard:of"}, "invalid_scope", id="scope"),
        pytest.param(
            {"resource": "urn:example:ledger"}, "invalid_target", id="resource-urn"
        ),
        pytest.param({"nonce": "n" * 256}, "invalid_request", id="long-nonce"),
        pytest.param(
            {"prompt": "none login"}, "invalid_request", id="contradictory-prompt"
        ),
        pytest.param({"id_token_hint": "garbage"}, "login_required", id="hint"),
    ],
)
def test_refused_before_consent(
    provider: Provider, browser: Browser, parameters: dict[str, str], error: str
) -> None:
    browser.sign_in(browser.open("/login/"), "ada")
    url = browser.authorization_url("web", Proof(), **parameters)
    answer = query_of(browser.open(url).headers["Location"].replace("#", "?"))
    assert answer["error"] == error
    assert answer["state"] == "a state & more"
    assert answer["iss"] == provider.issuer


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"code_challenge": ""}, id="challenge-removed"),
        pytest.param({"code_challenge_method": "plain"}, id="method-changed"),
    ],
)
def test_pkce_cannot_be_downgraded_in_the_form(
    browser: Browser, change: dict[str, str]
) -> None:
    page = browser.open(browser.authorization_url("web", Proof(), prompt="consent"))
    page = browser.sign_in(page, "bob")
    # In the form and in its address: either alone is made up for by the other.
    page.url = page.url.split("?")[0]
    answer = answer_of(browser.submit(page, allow="true", **change))
    assert answer["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        pytest.param({"code_verifier": "w" * 43}, 400, "invalid_grant", id="verifier"),
        pytest.param({"code_verifier": None}, 400, "invalid_request", id="none-at-all"),
        pytest.param(
            {"redirect_uri": "http://127.0.0.1:8000/"},
            400,
            "invalid_request",
            id="redirect-uri",
        ),
        pytest.param({"code": "unknown"}, 400, "invalid_grant", id="code"),
        pytest.param(
            {"resource": "urn:example:ledger"}, 400, "invalid_target", id="urn"
        ),
    ],
)
def test_code_is_not_exchanged(
    provider: Provider,
    browser: Browser,
    change: dict[str, str | None],
    status: int,
    error: str,
) -> None:
    proof = Proof()
    code = browser.obtain_code("web", "ada", proof)
    good: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": proof.verifier,
        "redirect_uri": CALLBACK,
    }
    response = provider.token("web", **(good | change))
    assert (response.status_code, response.json()["error"]) == (status, error)


def test_another_client_cannot_use_the_code(
    provider: Provider, browser: Browser
) -> None:
    proof = Proof()
    code = browser.obtain_code("web", "ada", proof)
    response = provider.exchange("server", code, proof.verifier)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


def test_code_works_once(provider: Provider, browser: Browser) -> None:
    proof = Proof()
    code = browser.obtain_code("web", "ada", proof)
    assert provider.exchange("web", code, proof.verifier).status_code == 200
    replay = provider.exchange("web", code, proof.verifier)
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")


def test_signing_out_with_the_clients_address(
    provider: Provider, browser: Browser
) -> None:
    tokens = sign_in(provider, browser, "web")
    page = browser.open(
        "/logout/?post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A8000%2Fgoodbye"
        f"&id_token_hint={tokens['id_token']}&state=s"
    )
    assert "Ledger web app" in page.text
    page = browser.submit(page, allow="true")
    assert page.headers["Location"] == "http://127.0.0.1:8000/goodbye?state=s"
    assert "Sign in" in browser.open("/").text
    assert provider.introspect(tokens["access_token"]).json() == {"active": False}


def test_staying_signed_in(browser: Browser) -> None:
    browser.sign_in(browser.open("/login/"), "ada")
    page = browser.submit(browser.open("/logout/"))
    assert urlsplit(page.url).path == "/"
    assert subject_of("ada") in page.text


def sign_in(
    provider: Provider,
    browser: Browser,
    client: str,
    username: str = "ada",
    **parameters: str,
) -> dict[str, str]:
    proof = Proof()
    code = browser.obtain_code(client, username, proof, **parameters)
    tokens: dict[str, str] = provider.exchange(client, code, proof.verifier).json()
    return tokens
