"""Whatever comes in: an OAuth error or a page, never a fault."""

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.example.identity.browsing import Browser, Proof, hidden_fields
from tests.example.identity.running import Provider

CREDENTIALS = {"client_id": "machine", "client_secret": "machine-secret"}
MACHINE = {"grant_type": "client_credentials", **CREDENTIALS}
LONG = "x" * 5000


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        pytest.param({}, 400, "invalid_request", id="empty"),
        pytest.param(CREDENTIALS, 400, "invalid_request", id="no-grant"),
        pytest.param(
            MACHINE | {"grant_type": "password", "username": "ada", "password": "p"},
            400,
            "unsupported_grant_type",
            id="password-grant",
        ),
        pytest.param(
            MACHINE | {"grant_type": "openid", "code": "c"},
            400,
            "unsupported_grant_type",
            id="grant-that-only-oauthlib-knows",
        ),
        pytest.param(
            {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"},
            400,
            "unsupported_grant_type",
            id="device-grant",
        ),
        pytest.param(
            MACHINE | {"grant_type": "authorization_code", "code": "c"},
            400,
            "unauthorized_client",
            id="grant-of-others",
        ),
        pytest.param(
            {"grant_type": "authorization_code", "client_id": "web"},
            400,
            "invalid_request",
            id="no-code",
        ),
        pytest.param(
            MACHINE | {"client_id": "nobody"}, 401, "invalid_client", id="client"
        ),
        pytest.param(
            MACHINE | {"client_id": "n" * 4000}, 401, "invalid_client", id="long-client"
        ),
        pytest.param(
            MACHINE | {"client_secret": "wrong"}, 401, "invalid_client", id="secret"
        ),
        pytest.param(
            MACHINE | {"client_secret": ""}, 401, "invalid_client", id="empty-secret"
        ),
        pytest.param(
            {"grant_type": "client_credentials", "client_id": "web"},
            401,
            "invalid_client",
            id="public-client",
        ),
        pytest.param(
            MACHINE | {"resource": "urn:example:ledger"},
            400,
            "invalid_target",
            id="resource-urn",
        ),
        pytest.param(
            MACHINE | {"resource": "http://[::1"}, 400, "invalid_target", id="ipv6"
        ),
        pytest.param(
            MACHINE | {"resource": "http://host:port/"},
            400,
            "invalid_target",
            id="resource-port",
        ),
        pytest.param(
            MACHINE | {"client_id": "mach\0ine"}, 400, "invalid_request", id="nul"
        ),
        pytest.param(
            MACHINE | {"scope": "\0"}, 400, "invalid_request", id="nul-elsewhere"
        ),
        pytest.param(MACHINE | {"scope": LONG}, 400, "invalid_request", id="long"),
        pytest.param(MACHINE | {LONG: "x"}, 400, "invalid_request", id="long-name"),
    ],
)
def test_token_request_is_refused(
    provider: Provider, body: dict[str, Any], status: int, error: str
) -> None:
    response = provider.request("POST", "/token/", data=body)
    assert response.headers["Content-Type"].startswith("application/json")
    assert (response.status_code, response.json()["error"]) == (status, error)


@pytest.mark.parametrize(
    "injected",
    ["user", "client", "scopes", "claims", "expires_in", "refresh_token_instance"],
)
def test_parameters_do_not_become_attributes(provider: Provider, injected: str) -> None:
    body = MACHINE | {injected: "1", "unknown": "1"}
    response = provider.request("POST", "/token/", data=body)
    assert response.status_code == 200
    claims = provider.verified(response.json()["access_token"])["payload"]
    assert claims["sub"] == "machine"
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("Basic", id="bare"),
        pytest.param("Basic !!!", id="not-base64"),
        pytest.param("Basic bm8tY29sb24=", id="no-colon"),
        pytest.param("Basic /w==", id="not-utf-8"),
        pytest.param("Basic AGE6Yg==", id="nul"),
        pytest.param("Basic \xff\xfe", id="not-ascii"),
        pytest.param("Bearer token", id="bearer"),
        pytest.param("Negotiate YQ==", id="other-scheme"),
        pytest.param("Basic " + "YTpi" * 900, id="long"),
    ],
)
@pytest.mark.parametrize("path", ["/token/", "/introspect/", "/revoke/"])
def test_garbage_in_the_authorization_header(
    provider: Provider, path: str, header: str
) -> None:
    response = provider.request(
        "POST",
        path,
        headers={"Authorization": header.encode("latin-1")},
        data={"grant_type": "client_credentials", "token": "t"},
    )
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(None, id="none"),
        pytest.param(b"Bearer", id="bare"),
        pytest.param(b"Bearer unknown", id="unknown"),
        pytest.param(b"Bearer \xff", id="not-ascii"),
        pytest.param(b"Basic YTpi", id="basic"),
    ],
)
def test_user_info_wants_a_token(provider: Provider, header: bytes | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = provider.request("GET", "/userinfo/", headers=headers)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_token")


def test_user_info_knows_no_machines(provider: Provider) -> None:
    token = provider.token("machine", grant_type="client_credentials").json()
    header = {"Authorization": f"Bearer {token['access_token']}"}
    response = provider.request("GET", "/userinfo/", headers=header)
    assert response.status_code in {401, 403}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/token/", "/introspect/", "/revoke/"])
def test_other_methods(provider: Provider, method: str, path: str) -> None:
    response = provider.request(method, path)
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"grant_type": "client_credentials"}', id="json"),
        pytest.param(b"\xff\xfe=\x00", id="bytes"),
        pytest.param(b"&".join(b"a%d=1" % n for n in range(1500)), id="many"),
        pytest.param(b"a=" + b"x" * 3_000_000, id="huge"),
    ],
)
def test_strange_bodies(provider: Provider, body: bytes) -> None:
    for kind in ("application/x-www-form-urlencoded", "application/json", "x;y=z"):
        response = provider.request(
            "POST", "/token/", data=body, headers={"Content-Type": kind}
        )
        assert response.status_code == 400


@pytest.mark.parametrize("signed_in", [True, False], ids=["signed-in", "stranger"])
@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"client_id": None}, id="no-client"),
        pytest.param({"client_id": "nobody"}, id="unknown-client"),
        pytest.param({"client_id": "n" * 4000}, id="long-client"),
        pytest.param({"client_id": "we\0b"}, id="nul"),
        pytest.param({"client_id": ["web", "server"]}, id="two-clients"),
        pytest.param({"redirect_uri": "https://evil.example/"}, id="redirect-uri"),
        pytest.param({"redirect_uri": "callback"}, id="relative-redirect-uri"),
        pytest.param(
            {"redirect_uri": "http://127.0.0.1:99999/callback"}, id="redirect-port"
        ),
        pytest.param({"redirect_uri": "http://[::1/callback"}, id="redirect-ipv6"),
        pytest.param({"redirect_uri": "javascript:alert(1)"}, id="javascript"),
        pytest.param({"client_id": "machine"}, id="machine-without-redirect-uri"),
        pytest.param({"state": LONG}, id="long-state"),
    ],
)
@pytest.mark.parametrize("prompt", [None, "none"], ids=["", "silent"])
def test_fatal_authorization_request_gives_a_page(
    browser: Browser, signed_in: bool, parameters: dict[str, Any], prompt: str | None
) -> None:
    if signed_in:
        browser.sign_in(browser.open("/login/"), "ada")
    url = browser.authorization_url("web", Proof(), prompt=prompt, **parameters)
    page = browser.open(url)
    if not signed_in and prompt is None and page.status_code == 200:
        # Nothing is checked before the sign-in, and nothing is revealed.
        page = browser.sign_in(page, "ada")
    assert page.status_code in {400, 401}
    assert "Location" not in page.headers
    assert "<h1>" in page.text


@pytest.mark.parametrize(
    "query",
    [
        "%zz",
        "client_id=%",
        "client_id=web&redirect_uri=%E2%80%AE",
        "=&&==",
        "client_id[]=web",
    ],
)
def test_unreadable_query_gives_a_page(browser: Browser, query: str) -> None:
    browser.sign_in(browser.open("/login/"), "ada")
    for path in ("/authorize/", "/logout/"):
        page = browser.open(f"{path}?{query}")
        assert "<h1>" in page.text
        assert page.status_code in ({400, 401} if path == "/authorize/" else {200, 400})


def test_malformed_claims_parameter(browser: Browser) -> None:
    browser.sign_in(browser.open("/login/"), "ada")
    url = browser.authorization_url("web", Proof(), claims="{not json")
    page = browser.open(url)
    assert page.status_code == 400
    assert "Malformed claims parameter" in page.text


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"client_id": "nobody"}, id="client"),
        pytest.param({"redirect_uri": "https://evil.example/"}, id="redirect-uri"),
        pytest.param({"client_id": ""}, id="empty"),
        pytest.param({"resource": "http://[::1"}, id="resource"),
        pytest.param({"csrfmiddlewaretoken": "forged"}, id="csrf"),
        pytest.param({"state": "a\0b"}, id="nul"),
    ],
)
def test_tampered_consent_form_gives_a_page(
    browser: Browser, change: dict[str, str]
) -> None:
    page = browser.open(browser.authorization_url("web", Proof(), prompt="consent"))
    page = browser.sign_in(page, "ada")
    page.url = page.url.split("?")[0]
    answer = browser.submit(page, allow="true", **change)
    assert answer.status_code in {400, 401, 403}
    assert "<h1>" in answer.text


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"client_id": "nobody"}, id="client"),
        pytest.param({"id_token_hint": "garbage"}, id="hint"),
        pytest.param({"id_token_hint": "e30.e30.e30"}, id="hint-of-three-parts"),
        pytest.param(
            {"client_id": "web", "post_logout_redirect_uri": "https://evil.example/"},
            id="address",
        ),
        pytest.param(
            {"client_id": "web", "post_logout_redirect_uri": "http://[::1"},
            id="address-that-does-not-parse",
        ),
        pytest.param(
            {"post_logout_redirect_uri": "http://127.0.0.1:8000/goodbye"},
            id="address-without-client",
        ),
        pytest.param({"client_id": "\0"}, id="nul"),
    ],
)
def test_bad_logout_request_signs_nobody_out(
    browser: Browser, parameters: dict[str, str]
) -> None:
    browser.sign_in(browser.open("/login/"), "ada")
    page = browser.open("/logout/?" + urlencode(parameters))
    assert page.status_code == 400
    assert "<h1>" in page.text
    assert "Sign out" in browser.open("/").text


def test_access_token_is_no_logout_hint(provider: Provider, browser: Browser) -> None:
    token = provider.token("machine", grant_type="client_credentials").json()
    page = browser.open("/logout/?id_token_hint=" + token["access_token"])
    assert page.status_code == 400


@pytest.mark.parametrize(
    ("username", "password"),
    [
        pytest.param("ada", "wrong", id="password"),
        pytest.param("nobody", "ada-password", id="name"),
        pytest.param("ada", "x" * 4000, id="long"),
    ],
)
def test_wrong_sign_in_says_so(browser: Browser, username: str, password: str) -> None:
    page = browser.open("/login/")
    page = browser.submit(page, username=username, password=password)
    assert page.status_code == 200
    assert "Please enter a correct username and password" in page.text


def test_sign_in_leads_nowhere_else(browser: Browser) -> None:
    page = browser.open("/login/?next=https://evil.example/")
    assert hidden_fields(page.text)["next"] == ""
    page = browser.sign_in(page, "ada")
    assert page.url == f"{browser.provider.issuer}/"


def test_unknown_host_is_refused(provider: Provider) -> None:
    response = provider.request("GET", "/", headers={"Host": "evil.example"})
    assert response.status_code == 400


@pytest.mark.parametrize(
    "path", ["/no-such-page", "/applications/", "/register/", "/device/", "/admin/"]
)
def test_what_is_not_offered_is_not_there(provider: Provider, path: str) -> None:
    response = provider.request("GET", path)
    assert response.status_code == 404
    assert "Development only." in response.text
