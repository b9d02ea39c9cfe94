"""What a verifier elsewhere learns of this project as an issuer."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import Client, override_settings
from django.urls import include, path
from rest_framework.decorators import (
    api_view,
    authentication_classes,
    permission_classes,
)
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.conf import IssuerSettings, apikit_settings
from drf_apikit.jose import parse_compact, parse_key_set
from drf_apikit.jose.signing import load_signing_key
from drf_apikit.oidc import find_issuer
from drf_apikit.oidc.jwks import KeyStore
from drf_apikit.tokens.keyring import current_ring, forget
from drf_apikit.tokens.keyring.material import new_private_key
from tests.databases import in_threads
from tests.jose.minting import CLAIMS

TOKENS: dict[str, Any] = {
    "ISSUER": "https://shop.test",
    "AUDIENCE": "https://shop.test/api",
    "ALGORITHM": "ES256",
}
JWKS = "/.well-known/jwks.json"
OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"

SOURCE = "drf_apikit.tokens.keyring.local_keys"
PEM, OTHER = new_private_key("ES256"), new_private_key("ES256")


@api_view(["GET"])
@permission_classes([IsAuthenticated])
@authentication_classes([JWTBearerAuthentication])
def who(request: Request) -> Response:
    return Response(request.user.is_authenticated)


urlpatterns = [
    path("", include("drf_apikit.tokens.wellknown_urls")),
    path("who", who),
]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture(autouse=True)
def _issuer(settings: Any) -> Iterator[None]:
    settings.DRF_APIKIT = {"TOKENS": TOKENS}
    forget()
    yield
    forget()


def section(**values: Any) -> override_settings:
    return override_settings(DRF_APIKIT={"TOKENS": {**TOKENS, **values}})


@pytest.mark.compliance("RFC 7517", "5")
def test_the_public_keys_are_there_before_the_first_token(client: Client) -> None:
    answer = client.get(JWKS)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    signer = current_ring().signing_key()
    assert answer.json() == {"keys": [signer.public_jwk()]}
    assert parse_key_set(answer.json()).dropped == ()


@pytest.mark.compliance("RFC 8725", "3.5")
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_nothing_private_is_published(client: Client, algorithm: str) -> None:
    with section(ALGORITHM=algorithm):
        (jwk,) = client.get(JWKS).json()["keys"]
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & jwk.keys()
    assert (jwk["alg"], jwk["use"]) == (algorithm, "sig")


def test_the_next_key_is_published_and_a_dead_one_is_not(client: Client) -> None:
    def named() -> list[str]:
        return [jwk["kid"] for jwk in client.get(JWKS).json()["keys"]]

    (first,) = named()
    (second,) = current_ring().rotate().added
    assert named() == [first, second]
    current_ring().rotate(now=True)
    current_ring().retire(first)
    assert named() == [second]


@pytest.mark.parametrize(
    ("lead", "seconds"), [(3600, 600), (1200, 600), (600, 300), (1, 0), (0, 0)]
)
@pytest.mark.parametrize("url", [JWKS, OAUTH])
def test_it_is_not_kept_for_longer_than_a_new_key_waits(
    client: Client, url: str, lead: int, seconds: int
) -> None:
    with section(PUBLICATION_LEAD=lead):
        answer = client.get(url)
    assert answer["Cache-Control"] == f"public, max-age={seconds}"


@pytest.mark.compliance("RFC 9110", "13.1.2")
def test_who_has_it_already_is_told_so(client: Client) -> None:
    tag = client.get(JWKS)["ETag"]
    answer = client.get(JWKS, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", tag)
    current_ring().rotate()
    assert client.get(JWKS, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.compliance("RFC 8414", "2")
@pytest.mark.parametrize("url", [OAUTH, OPENID])
def test_the_metadata_say_what_is_true(client: Client, url: str) -> None:
    document = {
        "issuer": "https://shop.test",
        "jwks_uri": f"https://shop.test{JWKS}",
        "response_types_supported": [],
        "grant_types_supported": [],
    }
    assert client.get(url).json() == document
    with section(SCOPES=["write", "read"]):
        expected = {**document, "scopes_supported": ["read", "write"]}
        assert client.get(url).json() == expected


@pytest.mark.compliance("RFC 8414", "3.1")
@pytest.mark.parametrize("issuer", ["https://shop.test/a/b", "https://shop.test/a/b/"])
def test_an_issuer_may_have_a_path(client: Client, issuer: str) -> None:
    with section(ISSUER=issuer):
        for url in (f"{OAUTH}/a/b", f"{OPENID}/a/b", f"/a/b{OPENID}"):
            answer = client.get(url)
            assert answer.json()["issuer"] == issuer
            assert answer.json()["jwks_uri"] == f"https://shop.test{JWKS}"
        for url in (OAUTH, OPENID, f"{OAUTH}/a", f"/a{OPENID}"):
            assert client.get(url).status_code == 404
        assert client.get(JWKS).status_code == 200
    assert client.get(f"{OAUTH}/a/b").status_code == 404


@pytest.mark.parametrize("url", [JWKS, OAUTH, OPENID])
def test_who_gives_out_no_tokens_publishes_nothing(client: Client, url: str) -> None:
    with override_settings(DRF_APIKIT={}):
        assert client.get(url).status_code == 404
    assert client.post(url).status_code == 405
    assert client.head(url).status_code == 200


def test_without_keys_verifiers_are_to_come_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = {**connections.settings["default"], "NAME": "/nowhere/at/all.sqlite3"}
    monkeypatch.setitem(connections.settings, "default", gone)
    (answer,) = in_threads(lambda: Client().get(JWKS))
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert answer["Cache-Control"] == "no-store"
    assert client.get(OAUTH).status_code == 200


def test_a_set_that_lacks_a_key_is_kept_by_nobody(client: Client) -> None:
    keys = {"bad": {"FILE": "missing.pem"}, "good": {"PRIVATE_KEY": PEM}}
    with section(KEYS=keys):
        answer = client.get(JWKS)
    assert (answer.status_code, answer["Retry-After"]) == (503, "15")
    assert answer["Cache-Control"] == "no-store"


def test_tokens_of_a_key_that_cannot_be_read_are_to_come_again(
    django_user_model: Any,
) -> None:
    signers = {"bad": load_signing_key(OTHER, "bad")}
    signers["good"] = load_signing_key(PEM, "good")
    keys = {"bad": {"FILE": "missing.pem"}, "good": {"PRIVATE_KEY": PEM}}
    subject = str(django_user_model.objects.create(username="alice").pk)
    now = int(time.time())
    claims = {**CLAIMS, "iss": TOKENS["ISSUER"], "iat": now, "exp": now + 300}
    entry = {"AUDIENCE": CLAIMS["aud"], "USERS": "local", "KEY_SOURCE": SOURCE}
    issuers = {"ISSUERS": {TOKENS["ISSUER"]: entry}}
    everything = {"TOKENS": {**TOKENS, "KEYS": keys}, "AUTHENTICATION": issuers}

    def answer(kid: str) -> Any:
        text = signers[kid].sign({**claims, "sub": subject}, "at+jwt")
        return Client().get("/who", headers={"Authorization": f"Bearer {text}"})

    with override_settings(DRF_APIKIT=everything):
        assert answer("good").status_code == 200
        later = answer("bad")
    assert (later.status_code, later["Retry-After"]) == (503, "15")


def token(issuer: str, now: float) -> str:
    claims = {**CLAIMS, "iss": issuer, "iat": now, "exp": now + 300}
    return current_ring().signing_key().sign(claims, "at+jwt")


@pytest.fixture
def anywhere(settings: Any, live_server: Any) -> Callable[[str], str]:
    """Be an issuer at the address of the server that runs, with some path."""

    def at(path: str) -> str:
        issuer = f"{live_server.url}{path}"
        entry = {"AUDIENCE": CLAIMS["aud"], "INSECURE_LOOPBACK_HTTP": True}
        settings.DRF_APIKIT = {
            "TOKENS": {**TOKENS, "ISSUER": issuer},
            "AUTHENTICATION": {"ISSUERS": {issuer: entry}},
        }
        return issuer

    return at


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["", "/tenants/one"])
def test_our_own_verifier_finds_the_keys_from_the_issuer_alone(
    anywhere: Callable[[str], str], path: str, settings: Any
) -> None:
    """It is another process to it: what it knows has come by HTTP."""
    dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    settings.CACHES = {"default": dummy}
    issuer = anywhere(path)
    now = 1_800_000_000
    remote = find_issuer(issuer)
    assert isinstance(remote.source, KeyStore)
    assert isinstance(remote.settings, IssuerSettings)
    assert remote.settings is apikit_settings.authentication.issuers[issuer]
    assert remote.verify(parse_compact(token(issuer, now)), now)[0]["iss"] == issuer
    current_ring().rotate(now=True)
    assert remote.verify(parse_compact(token(issuer, now)), now)[0]["iss"] == issuer
