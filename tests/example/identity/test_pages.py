import re
from urllib.parse import urlsplit

import pytest

from tests.example.identity.browsing import Browser, Proof
from tests.example.identity.running import Provider


def test_health(provider: Provider) -> None:
    response = provider.request("GET", "/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_discovery_says_what_works_here(provider: Provider) -> None:
    response = provider.request("GET", "/.well-known/openid-configuration")
    assert response.status_code == 200
    document = response.json()
    assert document["issuer"] == provider.issuer
    assert document["response_types_supported"] == ["code"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert "none" in document["token_endpoint_auth_methods_supported"]
    assert set(document["grant_types_supported"]) == {
        "authorization_code",
        "client_credentials",
        "refresh_token",
    }
    assert {"openid", "ledger:read", "ledger:write"} <= set(
        document["scopes_supported"]
    )
    for name, url in document.items():
        if name.endswith(("_endpoint", "_uri")):
            assert url.startswith(f"{provider.issuer}/"), name
            path = url.removeprefix(provider.issuer)
            assert provider.request("GET", path).status_code != 404, name


def test_both_metadata_documents_agree(provider: Provider) -> None:
    openid = provider.request("GET", "/.well-known/openid-configuration").json()
    oauth = provider.request("GET", "/.well-known/oauth-authorization-server").json()
    shared = openid.keys() & oauth.keys()
    assert {"issuer", "jwks_uri", "token_endpoint", "grant_types_supported"} <= shared
    for name in shared:
        if isinstance(openid[name], list):
            assert sorted(openid[name]) == sorted(oauth[name]), name
        else:
            assert openid[name] == oauth[name], name


def test_key_set_holds_public_keys_only(provider: Provider) -> None:
    [key] = provider.request("GET", "/.well-known/jwks.json").json()["keys"]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi"}


@pytest.mark.parametrize(
    "path", ["/", "/login/", "/logout/", "/nowhere", "/authorize/"]
)
def test_pages_are_marked_and_load_nothing_from_outside(
    browser: Browser, path: str
) -> None:
    page = browser.open(path)
    assert "Development only." in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    loaded = re.findall(r'(?:src|href|action)="([^"]*)"', page.text)
    assert loaded
    assert all(url.startswith(("/", "data:,")) for url in loaded), loaded


def test_style_sheet_is_served_without_a_static_server(provider: Provider) -> None:
    response = provider.request("GET", "/style.css")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/css")
    assert "url(" not in response.text


def test_cookies_have_names_of_their_own(browser: Browser) -> None:
    browser.sign_in(browser.open("/login/"), "ada")
    assert set(browser.session.cookies.keys()) == {
        "identity_sessionid",
        "identity_csrftoken",
    }
    assert all(
        cookie.has_nonstandard_attr("HttpOnly") for cookie in browser.session.cookies
    )


def test_sign_in_and_out_by_hand(browser: Browser) -> None:
    page = browser.sign_in(browser.open("/login/"), "ada")
    assert "signed in as <strong>ada</strong>" in page.text
    page = browser.submit(browser.open("/logout/"), allow="true")
    assert urlsplit(page.url).path == "/"
    assert "signed in as" not in page.text


def test_names_are_shown_as_text(browser: Browser) -> None:
    url = browser.authorization_url("<script>alert(1)</script>", Proof())
    page = browser.sign_in(browser.open(url), "ada")
    assert page.status_code == 400
    assert "<script>" not in page.text
