"""Clients that sign (RFC 7523): one good way, and every other one is refused."""

import hmac
import json
import secrets
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.example.identity.browsing import Browser, Proof
from tests.example.identity.running import CALLBACK, Provider
from tests.jose.minting import base64url, mint, public_jwk

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: The header of "signer", whose keys are named, and of "signing-server".
ES256: dict[str, Any] = {"alg": "ES256", "kid": "P-256"}
EDDSA: dict[str, Any] = {"alg": "EdDSA"}


def claims(provider: Provider, client: str = "signer", **changes: Any) -> Any:
    return {
        "iss": client,
        "sub": client,
        "aud": provider.issuer,
        "iat": int(time.time()),
        "exp": int(time.time()) + 60,
        "jti": secrets.token_urlsafe(),
        **changes,
    }


def ask(provider: Provider, assertion: str, **changes: str | None) -> Any:
    form: dict[str, str | None] = {
        "grant_type": "client_credentials",
        "client_assertion_type": TYPE,
        "client_assertion": assertion,
    }
    return provider.request("POST", "/token/", data=form | changes)


def refused(response: requests.Response) -> None:
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


@pytest.mark.compliance("RFC 7523", "2.2")
@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (ES256, "P-256"),
        ({"alg": "RS256", "kid": "RSA"}, "RSA"),
        (ES256 | {"typ": "JWT"}, "P-256"),
        (ES256 | {"typ": "client-authentication+jwt"}, "P-256"),
    ],
    ids=["ES256", "RS256", "JWT", "own-type"],
)
def test_a_client_is_known_by_its_signature(
    provider: Provider, header: Mapping[str, Any], kind: str
) -> None:
    algorithm = header["alg"]
    assertion = mint(header, claims(provider), algorithm=algorithm, kind=kind)
    response = ask(provider, assertion)
    assert response.status_code == 200, response.text
    token = provider.verified(response.json()["access_token"])["payload"]
    assert token["sub"] == token["client_id"] == "signer"


def test_it_may_say_who_it_is_as_well(provider: Provider) -> None:
    response = ask(provider, mint(ES256, claims(provider)), client_id="signer")
    assert response.status_code == 200


@pytest.mark.compliance("RFC 7523", "3")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"aud": "https://other.example"}, id="aud-of-another"),
        pytest.param({"aud": None}, id="no-aud"),
        pytest.param({"aud": []}, id="empty-aud"),
        pytest.param({"aud": 1}, id="number-aud"),
        pytest.param({"iss": "machine"}, id="iss-of-another"),
        pytest.param({"iss": None}, id="no-iss"),
        pytest.param({"sub": "machine"}, id="sub-of-another"),
        pytest.param({"sub": "nobody"}, id="sub-unknown"),
        pytest.param({"sub": None}, id="no-sub"),
        pytest.param({"sub": 7}, id="number-sub"),
        pytest.param({"sub": "sig\0ner"}, id="nul-sub"),
        pytest.param({"sub": "s" * 300}, id="long-sub"),
        pytest.param({"exp": 1}, id="expired"),
        pytest.param({"exp": None}, id="no-exp"),
        pytest.param({"exp": "soon"}, id="text-exp"),
        pytest.param({"exp": 4_000_000_000}, id="much-too-long"),
        pytest.param({"exp": float("inf")}, id="for-ever"),
        pytest.param({"nbf": 4_000_000_000}, id="not-yet"),
        pytest.param({"iat": 4_000_000_000}, id="of-the-future"),
        pytest.param({"jti": None}, id="no-jti"),
        pytest.param({"jti": ""}, id="empty-jti"),
        pytest.param({"jti": 7}, id="number-jti"),
        pytest.param({"jti": "\ud800"}, id="jti-that-is-no-text"),
    ],
)
def test_claims_are_checked(provider: Provider, changes: dict[str, Any]) -> None:
    refused(ask(provider, mint(ES256, claims(provider, **changes))))


def test_one_for_others_as_well_is_refused(provider: Provider) -> None:
    audiences = [provider.issuer, "https://other.example"]
    refused(ask(provider, mint(ES256, claims(provider, aud=audiences))))
    refused(ask(provider, mint(ES256, claims(provider, aud=f"{provider.issuer}/"))))
    alone = mint(ES256, claims(provider, aud=[provider.issuer]))
    assert ask(provider, alone).status_code == 200


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        pytest.param(ES256, "other P-256", id="another-key"),
        pytest.param(ES256 | {"kid": "RSA"}, "P-256", id="kid-of-another-kind"),
        pytest.param(ES256 | {"kid": "unknown"}, "P-256", id="unknown-kid"),
        pytest.param({"alg": "ES256"}, "P-256", id="which-key"),
        pytest.param(ES256 | {"kid": 7}, "P-256", id="number-kid"),
        pytest.param(ES256 | {"alg": "ES384"}, "P-256", id="another-algorithm"),
        pytest.param(ES256 | {"typ": "at+jwt"}, "P-256", id="access-token"),
        pytest.param(ES256 | {"typ": "logout+jwt"}, "P-256", id="logout-token"),
        pytest.param(ES256 | {"crit": ["b64"]}, "P-256", id="crit"),
    ],
)
def test_the_key_says_how_it_is_signed(
    provider: Provider, header: Mapping[str, Any], kind: str
) -> None:
    refused(ask(provider, mint(header, claims(provider), kind=kind)))


def test_nobody_signs_with_a_public_key_or_not_at_all(provider: Provider) -> None:
    _header, payload, _ = mint(ES256, claims(provider)).split(".")
    for header in ({"alg": "none"}, ES256 | {"alg": "none"}):
        head = base64url(json.dumps(header).encode())
        refused(ask(provider, f"{head}.{payload}."))
    head = base64url(json.dumps(ES256 | {"alg": "HS256"}).encode())
    secret = json.dumps(public_jwk("P-256")).encode()
    digest = hmac.digest(secret, f"{head}.{payload}".encode(), "sha256")
    refused(ask(provider, f"{head}.{payload}.{base64url(digest)}"))


@pytest.mark.parametrize(
    "text", ["", "a", "a.b.c", "e30.e30.", "\N{SNOWMAN}", "." * 99, "x" * 4000]
)
def test_what_is_no_assertion_is_refused(provider: Provider, text: str) -> None:
    refused(ask(provider, text))


@pytest.mark.compliance("RFC 7523", "3")
def test_an_assertion_works_once(provider: Provider) -> None:
    used = claims(provider)
    assert ask(provider, mint(ES256, used)).status_code == 200
    refused(ask(provider, mint(ES256, used)))
    # Under the same name another one is no other.
    refused(ask(provider, mint(ES256, used | {"exp": used["exp"] + 1})))


def test_it_is_used_up_by_a_request_that_fails_otherwise(provider: Provider) -> None:
    assertion = mint(ES256, claims(provider))
    response = ask(provider, assertion, scope="unheard:of")
    assert response.json()["error"] == "invalid_scope"
    refused(ask(provider, assertion))


def test_of_many_at_once_one_wins(provider: Provider) -> None:
    assertion = mint(ES256, claims(provider))
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: ask(provider, assertion), range(8))
        statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [401] * 7


def test_each_client_has_names_of_its_own(provider: Provider, browser: Browser) -> None:
    used = claims(provider)
    assert ask(provider, mint(ES256, used)).status_code == 200
    other = used | {"iss": "signing-server", "sub": "signing-server"}
    response = exchange(provider, browser, other)
    assert response.status_code == 200, response.text


def test_a_code_is_for_the_client_that_signs(
    provider: Provider, browser: Browser
) -> None:
    response = exchange(provider, browser, claims(provider, "signing-server"))
    tokens = response.json()
    assert provider.verified(tokens["id_token"], audience="signing-server")
    again = ask(
        provider,
        mint(
            EDDSA, claims(provider, "signing-server"), algorithm="EdDSA", kind="Ed25519"
        ),
        grant_type="refresh_token",
        refresh_token=tokens["refresh_token"],
    )
    assert again.status_code == 200
    assert again.json()["refresh_token"] != tokens["refresh_token"]


def test_a_code_of_another_client_is_refused(
    provider: Provider, browser: Browser
) -> None:
    proof = Proof()
    response = ask(
        provider,
        mint(
            EDDSA, claims(provider, "signing-server"), algorithm="EdDSA", kind="Ed25519"
        ),
        grant_type="authorization_code",
        code=browser.obtain_code("web", "ada", proof),
        code_verifier=proof.verifier,
        redirect_uri=CALLBACK,
    )
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changes",
    [
        {"client_assertion_type": None},
        {"client_assertion_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"},
        {"client_id": "machine"},
        {"client_id": "machine", "client_secret": "machine-secret"},
        {"client_secret": "anything"},
    ],
    ids=["no-type", "other-type", "other-client", "other-secret", "secret"],
)
def test_there_is_one_way_at_a_time(
    provider: Provider, changes: dict[str, str | None]
) -> None:
    refused(ask(provider, mint(ES256, claims(provider)), **changes))


def test_a_header_beside_it_is_refused(provider: Provider) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": TYPE,
        "client_assertion": mint(ES256, claims(provider)),
    }
    pair = ("machine", "machine-secret")
    refused(provider.request("POST", "/token/", auth=pair, data=form))


def test_it_does_not_belong_into_the_address(provider: Provider) -> None:
    response = provider.request(
        "POST",
        "/token/",
        params={
            "client_assertion_type": TYPE,
            "client_assertion": mint(ES256, claims(provider)),
        },
        data={"grant_type": "client_credentials"},
    )
    assert response.status_code in {400, 401}


def test_a_client_with_a_secret_cannot_sign(provider: Provider) -> None:
    refused(ask(provider, mint({"alg": "ES256"}, claims(provider, "machine"))))


def test_a_client_that_signs_has_no_secret(provider: Provider) -> None:
    for secret in ("", "signer"):
        form = {"client_id": "signer", "client_secret": secret}
        machine = {"grant_type": "client_credentials"}
        refused(provider.request("POST", "/token/", data=machine | form))


@pytest.mark.parametrize("path", ["/introspect/", "/revoke/"])
def test_it_can_ask_about_tokens(provider: Provider, path: str) -> None:
    token = ask(provider, mint(ES256, claims(provider))).json()["access_token"]
    form = {
        "token": token,
        "client_assertion_type": TYPE,
        "client_assertion": mint(ES256, claims(provider)),
    }
    assert provider.request("POST", path, data=form).status_code == 200
    refused(provider.request("POST", path, data=form))


def test_metadata_says_so(provider: Provider) -> None:
    for path in ("openid-configuration", "oauth-authorization-server"):
        document = provider.request("GET", f"/.well-known/{path}").json()
        for endpoint in ("token", "introspection", "revocation"):
            name = f"{endpoint}_endpoint_auth"
            assert "private_key_jwt" in document[f"{name}_methods_supported"]
            algorithms = document[f"{name}_signing_alg_values_supported"]
            assert {"RS256", "ES256"} <= set(algorithms)
            assert not {"none", "HS256"} & set(algorithms)


def exchange(provider: Provider, browser: Browser, signed: Any) -> Any:
    proof = Proof()
    code = browser.obtain_code("signing-server", "ada", proof)
    return ask(
        provider,
        mint(EDDSA, signed, algorithm="EdDSA", kind="Ed25519"),
        grant_type="authorization_code",
        code=code,
        code_verifier=proof.verifier,
        redirect_uri=CALLBACK,
    )
