"""The scripted provider is a good one as long as nobody changes it."""

import base64
import hashlib
import threading
import time
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

import jwt
import pytest
import requests

from tests.jose.minting import base64url, mint
from tests.login.answers import as_raw, hang_up
from tests.login.granting import Client
from tests.login.provider import (
    AUTHORIZE,
    CLIENT_ID,
    CLIENT_SECRET,
    DISCOVERY,
    END_SESSION,
    EVERY,
    JWKS,
    REVOKE,
    TOKEN,
    USERINFO,
    Provider,
)

VERIFIER = "v" * 43
CALLBACK = "https://client.test/callback"


def authorize(provider: Provider, **changes: str | None) -> dict[str, str]:
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "scope": "openid",
        "state": "a state",
        "nonce": "a nonce",
        "code_challenge": base64url(digest),
        "code_challenge_method": "S256",
        **changes,
    }
    kept = {name: value for name, value in asked.items() if value is not None}
    location = provider.visit(f"{provider.url}{AUTHORIZE}?{urlencode(kept)}")
    assert location.startswith(CALLBACK)
    return dict(parse_qsl(urlsplit(location).query))


def post(provider: Provider, path: str, /, **form: str | None) -> Any:
    credentials = f"{quote_plus(CLIENT_ID)}:{quote_plus(CLIENT_SECRET)}"
    basic = base64.b64encode(credentials.encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    return requests.post(provider.url + path, form, headers=headers, timeout=30)


def exchange(provider: Provider, authorized: str, **changes: str | None) -> Any:
    form: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": authorized,
        "code_verifier": VERIFIER,
        "redirect_uri": CALLBACK,
    }
    return post(provider, TOKEN, **(form | changes))


def test_a_whole_flow(provider: Provider) -> None:
    found = requests.get(provider.url + DISCOVERY, timeout=30).json()
    assert found["issuer"] == provider.url
    told = authorize(provider)
    assert (told["state"], told["iss"]) == ("a state", provider.url)
    tokens = exchange(provider, told["code"]).json()
    keys = jwt.PyJWKSet.from_dict(requests.get(provider.url + JWKS, timeout=30).json())
    claims = jwt.decode(
        tokens["id_token"], keys["RSA"], algorithms=["RS256"], audience=CLIENT_ID
    )
    assert (claims["sub"], claims["nonce"]) == ("alice", "a nonce")
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    person = requests.get(provider.url + USERINFO, headers=bearer, timeout=30)
    assert person.json()["sub"] == "alice"
    assert provider.count(TOKEN) == 1
    assert provider.last(TOKEN).form["code_verifier"] == VERIFIER
    assert {told["code"], *(tokens[name] for name in ("access_token", "id_token"))} < {
        *provider.grants.secrets
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": None},
        {"redirect_uri": "https://client.test/"},
        {"code": "unknown"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_code_is_for_who_asked_for_it(
    provider: Provider, changes: dict[str, str | None]
) -> None:
    answer = exchange(provider, authorize(provider)["code"], **changes)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})


def test_a_code_that_comes_again_ends_what_came_of_it(provider: Provider) -> None:
    code = authorize(provider)["code"]
    tokens = exchange(provider, code).json()
    assert exchange(provider, code).status_code == 400
    assert refresh(provider, tokens["refresh_token"]).status_code == 400


def test_a_code_of_another_client_is_refused(provider: Provider) -> None:
    provider.clients["other"] = Client("other")
    code = authorize(provider, client_id="other")["code"]
    assert exchange(provider, code).status_code == 400


def test_refresh_tokens_rotate_and_reuse_ends_them_all(provider: Provider) -> None:
    first = exchange(provider, authorize(provider)["code"]).json()["refresh_token"]
    second = refresh(provider, first).json()["refresh_token"]
    assert second != first
    assert refresh(provider, first).json() == {"error": "invalid_grant"}
    assert refresh(provider, second).json() == {"error": "invalid_grant"}


def test_revoked_is_revoked(provider: Provider) -> None:
    tokens = exchange(provider, authorize(provider)["code"]).json()
    assert post(provider, REVOKE, token=tokens["refresh_token"]).status_code == 200
    assert refresh(provider, tokens["refresh_token"]).status_code == 400
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    person = requests.get(provider.url + USERINFO, headers=bearer, timeout=30)
    assert person.status_code == 401


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"aud": "https://other.test"}, 401),
        ({"exp": 1}, 401),
        ({"iss": "other"}, 401),
        ({"jti": None}, 401),
    ],
    ids=["good", "aud", "exp", "iss", "jti"],
)
def test_a_client_can_sign(
    provider: Provider, changes: dict[str, Any], status: int
) -> None:
    provider.clients[CLIENT_ID] = Client(CLIENT_ID, key="P-256")
    claims = {
        "iss": CLIENT_ID,
        "sub": CLIENT_ID,
        "aud": provider.url,
        "exp": int(time.time()) + 60,
        "jti": "1",
    }
    assertion = mint({"alg": "ES256"}, claims | changes)
    form = {
        "grant_type": "client_credentials",
        "client_assertion": assertion,
        "client_assertion_type": "urn:ietf:params:oauth:"
        "client-assertion-type:jwt-bearer",
    }
    answer = requests.post(provider.url + TOKEN, form, timeout=30)
    assert answer.status_code == status


def test_a_secret_in_the_form_and_none_at_all(provider: Provider) -> None:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID}
    url = provider.url + TOKEN
    good = requests.post(url, form | {"client_secret": CLIENT_SECRET}, timeout=30)
    assert good.status_code == 200
    assert requests.post(url, form, timeout=30).status_code == 401


def test_nobody_is_signed_in(provider: Provider) -> None:
    provider.subject = None
    assert authorize(provider, prompt="none")["error"] == "login_required"


def test_the_browser_comes_back_from_signing_out(provider: Provider) -> None:
    query = urlencode({"post_logout_redirect_uri": CALLBACK, "state": "s"})
    location = provider.visit(f"{provider.url}{END_SESSION}?{query}")
    assert location == f"{CALLBACK}?state=s"


def test_whatever_is_changed_is_what_comes(provider: Provider) -> None:
    provider.metadata = {"token_endpoint": None}
    provider.authorization = {"iss": None, "state": "other"}
    provider.tokens = {"token_type": "mac"}
    provider.claims = {"aud": "other", "nonce": None}
    found = requests.get(provider.url + DISCOVERY, timeout=30).json()
    assert "token_endpoint" not in found
    told = authorize(provider)
    assert told.keys() == {"code", "state"}
    tokens = exchange(provider, told["code"]).json()
    assert tokens["token_type"] == "mac"
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert claims["aud"] == "other"
    assert "nonce" not in claims
    provider.rotate()
    kids = requests.get(provider.url + JWKS, timeout=30).json()["keys"]
    assert [key["kid"] for key in kids] == ["other RSA"]


@pytest.mark.parametrize("answer", [hang_up, as_raw(b"\0\xff")], ids=["gone", "bytes"])
def test_a_provider_can_die(provider: Provider, answer: Any) -> None:
    provider.answers[EVERY] = answer
    with pytest.raises(requests.ConnectionError):
        requests.get(provider.url + DISCOVERY, timeout=30)


def test_an_answer_can_wait(provider: Provider) -> None:
    held = provider.hold(JWKS)
    statuses: list[int] = []
    url = provider.url + JWKS
    thread = threading.Thread(
        target=lambda: statuses.append(requests.get(url, timeout=30).status_code)
    )
    thread.start()
    assert held.asked.wait(30)
    assert not statuses
    held.let_go()
    thread.join()
    assert statuses == [200]


def refresh(provider: Provider, token: str) -> Any:
    return post(provider, TOKEN, grant_type="refresh_token", refresh_token=token)
