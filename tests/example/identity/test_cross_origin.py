"""Which pages of other origins may read what the provider answers."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import pytest
import requests

from tests.example.identity.browsing import Browser, Proof
from tests.example.identity.running import CALLBACK, Provider

#: That of the redirect URI of the public client "web".
ORIGIN = "http://127.0.0.1:8000"
READABLE = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/jwks.json",
    "/token/",
    "/userinfo/",
]
STRANGERS = [
    "http://127.0.0.1:8001",
    "https://127.0.0.1:8000",
    "http://127.0.0.1",
    "http://127.0.0.1:8000.evil.example",
    "http://localhost:8000",
    "https://server.example",
    "null",
    "",
]

REGISTER: Final = (
    "UPDATE oauth2_provider_application SET redirect_uris = ? WHERE client_id = 'web'"
)


def allowed(response: requests.Response) -> str | None:
    assert "Origin" in response.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in response.headers
    return response.headers.get("Access-Control-Allow-Origin")


@pytest.mark.parametrize("path", READABLE)
def test_a_page_of_a_public_client_may_read(provider: Provider, path: str) -> None:
    headers = {"Origin": ORIGIN}
    # Errors as well: the page is to know what went wrong.
    assert allowed(provider.request("GET", path, headers=headers)) == ORIGIN
    assert allowed(provider.request("POST", path, headers=headers)) == ORIGIN


@pytest.mark.parametrize("origin", STRANGERS)
@pytest.mark.parametrize("path", READABLE)
def test_no_other_page_may(provider: Provider, path: str, origin: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        response = provider.request(method, path, headers={"Origin": origin})
        assert allowed(response) is None
        assert "Access-Control-Allow-Headers" not in response.headers


@pytest.mark.parametrize("path", READABLE)
def test_without_an_origin_nothing_is_said(provider: Provider, path: str) -> None:
    assert allowed(provider.request("GET", path)) is None


@pytest.fixture
def odd_uris(provider: Provider) -> Iterator[None]:
    """Register what no browser can come back to, past all forms."""
    with closing(sqlite3.connect(provider.folder / "identity.sqlite3")) as books:
        odd = f"http://x:99999/ http://x:port/ http://[::1 com.app:/cb {CALLBACK}"
        books.execute(REGISTER, [odd])
        books.commit()
        yield
        books.execute(REGISTER, [CALLBACK])
        books.commit()


@pytest.mark.usefixtures("odd_uris")
def test_odd_addresses_are_of_no_origin(provider: Provider) -> None:
    for origin, known in ((ORIGIN, ORIGIN), ("http://x:99999", None), ("null", None)):
        response = provider.request("GET", READABLE[0], headers={"Origin": origin})
        assert (response.status_code, allowed(response)) == (200, known)


@pytest.mark.parametrize("path", ["/authorize/", "/introspect/", "/revoke/", "/login/"])
def test_nothing_else_can_be_read(provider: Provider, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        response = provider.request(method, path, headers={"Origin": ORIGIN})
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("path", READABLE)
def test_a_browser_may_ask_first(provider: Provider, path: str) -> None:
    response = provider.request(
        "OPTIONS",
        path,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,x-requested-with",
        },
    )
    assert response.status_code == 204
    assert allowed(response) == ORIGIN
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    headers = response.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"authorization", "content-type", "x-requested-with"} <= set(headers)


def test_a_page_gets_tokens_by_itself(provider: Provider, browser: Browser) -> None:
    proof = Proof()
    code = browser.obtain_code("web", "ada", proof)
    response = provider.request(
        "POST",
        "/token/",
        headers={"Origin": ORIGIN, "X-Requested-With": "XMLHttpRequest"},
        data={
            "grant_type": "authorization_code",
            "client_id": "web",
            "code": code,
            "code_verifier": proof.verifier,
            "redirect_uri": CALLBACK,
        },
    )
    assert response.status_code == 200
    assert allowed(response) == ORIGIN
    token = response.json()["access_token"]
    person = provider.request(
        "GET",
        "/userinfo/",
        headers={"Origin": ORIGIN, "Authorization": f"Bearer {token}"},
    )
    assert person.status_code == 200
    assert allowed(person) == ORIGIN
