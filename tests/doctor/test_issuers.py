import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from django.core.cache import caches

from drf_apikit.doctor import issuers
from drf_apikit.doctor.findings import Context, Finding
from drf_apikit.doctor.issuers import PROBE
from drf_apikit.doctor.running import examine
from drf_apikit.oidc import fetch, find_issuer
from drf_apikit.oidc.metadata import metadata_of
from tests.example.identity.running import running_provider
from tests.jose.minting import private_key, public_jwk
from tests.oidc.provider import DISCOVERY, JWKS, Provider, as_json, as_text, serving
from tests.oidc.tls import certify

LOCAL = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
PEM = (
    private_key("P-256")
    .private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    .decode()
)
GOOD: dict[str, Any] = {
    "authorization_endpoint": "/authorize",
    "token_endpoint": "/token",
    "code_challenge_methods_supported": ["S256"],
    "token_endpoint_auth_methods_supported": [
        *("client_secret_basic", "private_key_jwt"),
    ],
    "id_token_signing_alg_values_supported": ["ES256"],
    "authorization_response_iss_parameter_supported": True,
}


@pytest.fixture(autouse=True)
def _settings(settings: Any) -> Iterator[None]:
    settings.CACHES = {"default": {**LOCAL, "LOCATION": "doctor"}}
    settings.OIDC_RP_CLIENT_ID = "site"
    settings.OIDC_RP_CLIENT_SECRET = "canary-of-the-site"
    settings.DRF_APIKIT = {}
    yield
    caches["default"].clear()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as running:
        describe(running)
        yield running


def describe(provider: Provider, **members: Any) -> None:
    """Serve a discovery document; paths become URLs, what is None is left out."""
    document = {**GOOD, **members}
    for name, value in document.items():
        if isinstance(value, str) and value.startswith("/"):
            document[name] = provider.url + value
    provider.answers[DISCOVERY] = as_json(provider.metadata(**document))


def trust(settings: Any, provider: Provider, **members: Any) -> None:
    issuer = {provider.url: {**provider.settings, **members}}
    section = {"ISSUERS": issuer, "FETCH_TIMEOUT": 2}
    settings.DRF_APIKIT = {**settings.DRF_APIKIT, "AUTHENTICATION": section}


def log_in(settings: Any, provider: Provider, **members: Any) -> None:
    login = {"ISSUER": provider.url, "INSECURE_LOOPBACK_HTTP": True, **members}
    settings.DRF_APIKIT = {**settings.DRF_APIKIT, "LOGIN": login}


def call(settings: Any, provider: Provider, **members: Any) -> None:
    client = {
        "ISSUER": provider.url,
        "CLIENT_ID": "worker",
        "CLIENT_SECRET": "canary-of-the-worker",
        "INSECURE_LOOPBACK_HTTP": True,
        **members,
    }
    section = {"CREDENTIALS": {"ledger": client}}
    settings.DRF_APIKIT = {**settings.DRF_APIKIT, "CLIENTS": section}


def listed() -> list[Finding]:
    found = list(examine([PROBE], Context(timeout=30)))
    assert "canary" not in str(found)
    assert "PRIVATE" not in str(found)
    return found


def told(subject: str = "") -> dict[str, Finding]:
    """Give the findings about a subject, by default all of them."""
    return {
        one.id.partition(".")[2]: one
        for one in listed()
        if one.subject == subject or not subject
    }


def risks() -> dict[str, Finding]:
    """Give the risks but that of plain HTTP, which all of these have."""
    found = {name: one for name, one in told().items() if one.status == "risk"}
    found.pop("transport", None)
    return found


def test_a_trusted_issuer_is_in_order(settings: Any, provider: Provider) -> None:
    trust(settings, provider)
    found = told()
    assert list(found) == ["transport", "discovery", "clock", "keys", "shared_keys"]
    assert risks() == {}
    assert "without TLS" in found["transport"].seen
    seen = f"1 usable keys at {provider.url}{JWKS}, for ES256."
    assert found["keys"].seen == seen
    assert found["shared_keys"].seen == "No keys are shared."
    assert set(provider.requests) == {DISCOVERY, JWKS}


def test_without_settings_there_is_nothing() -> None:
    assert list(told()) == ["nothing"]


@pytest.fixture
def certified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Provider, Path]]:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    context, certificate = certify(tmp_path)
    with serving(context) as running:
        yield running, certificate


def test_tls_is_told_apart(
    certified: tuple[Provider, Path], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, certificate = certified
    trust(settings, running, INSECURE_LOOPBACK_HTTP=False)
    found = told()
    assert list(found) == ["transport", "keys"]
    assert found["transport"].seen.startswith("TLS fails: ")
    assert found["keys"].status == "skipped"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    found = told()
    assert {str(one.status) for one in found.values()} == {"ok"}
    assert found["transport"].seen == "TLS works."


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (as_text(500, "no"), "answered 500"),
        (as_json({"issuer": "https://other.example"}), "names another issuer"),
        (as_text(200, "no json"), "no strict JSON"),
    ],
    ids=["error", "other", "nonsense"],
)
def test_discovery_that_fails(
    answer: Any, seen: str, settings: Any, provider: Provider
) -> None:
    trust(settings, provider)
    provider.answers[DISCOVERY] = answer
    found = told()
    assert list(found) == ["discovery", "keys"]
    assert found["discovery"].status == "risk"
    assert seen in found["discovery"].seen
    assert found["keys"].status == "skipped"


def test_an_issuer_that_is_down(settings: Any) -> None:
    down = Provider("http://127.0.0.1:1")
    trust(settings, down)
    assert "ConnectionError" in told()["discovery"].seen


def dated(provider: Provider, **headers: str) -> None:
    """Answer with headers of our own; the server puts the Date of now first."""
    document = provider.metadata()

    def answer(handler: Any) -> None:
        handler.date_time_string = lambda: headers.get("Date", "")
        as_json(document, {k: v for k, v in headers.items() if k != "Date"})(handler)

    provider.answers[DISCOVERY] = answer


@pytest.mark.parametrize(
    ("shift", "leeway", "status", "seen"),
    [
        (0, 30, "ok", "within 15 seconds"),
        (12, 30, "ok", "within 15 seconds"),
        (-12, 30, "ok", "within 15 seconds"),
        (30, 30, "risk", "seconds ahead of ours, and LEEWAY is 30"),
        (-30, 30, "risk", "seconds behind ours"),
        (-30, 100, "ok", "within 50 seconds"),
        (0, 0, "ok", "within 1 seconds"),
        (5, 0, "risk", "LEEWAY is 0"),
    ],
)
def test_clocks_are_compared(
    shift: float,
    leeway: int,
    status: str,
    seen: str,
    settings: Any,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr(issuers, "time", SimpleNamespace(time=lambda: now))
    dated(provider, Date=formatdate(now + shift, usegmt=True))
    trust(settings, provider, LEEWAY=leeway)
    found = told()["clock"]
    assert found.status == status
    assert seen in found.seen


@pytest.mark.parametrize(
    "headers",
    [{}, {"Date": "yesterday"}, {"Date": formatdate(0, usegmt=True), "Age": "30"}],
    ids=["none", "odd", "old"],
)
def test_answers_that_tell_no_time(
    headers: dict[str, str], settings: Any, provider: Provider
) -> None:
    dated(provider, **headers)
    trust(settings, provider)
    assert told()["clock"].status == "skipped"


def test_keys_of_the_settings(settings: Any, provider: Provider) -> None:
    keys = {"keys": [public_jwk("RSA"), public_jwk("RSA-1024")]}
    trust(settings, provider, JWKS=keys)
    found = told()
    assert list(found) == ["discovery", "keys"]
    assert found["discovery"].status == "skipped"
    assert found["keys"].seen == (
        "1 usable keys of the settings, for PS256, PS384, PS512, RS256, RS384, RS512."
        " 1 dropped: keys[1]: too weak, or not for signatures."
    )
    assert provider.requests == []


def test_keys_at_an_address_of_the_settings(settings: Any, provider: Provider) -> None:
    trust(settings, provider, JWKS_URI=f"{provider.url}/own")
    assert "/own answered 404" in risks()["keys"].seen
    provider.answers["/own"] = as_json({"keys": [public_jwk("P-256")]})
    assert risks() == {}
    assert set(provider.requests) == {"/own"}


@pytest.mark.parametrize(
    ("answer", "algorithms", "seen"),
    [
        (as_json({"keys": [public_jwk("RSA-1024")]}), ["ES256"], "0 usable keys"),
        (as_json({"keys": 7}), ["ES256"], "KeySetError"),
        (as_json({"keys": [public_jwk("P-256")]}), ["RS256"], "access tokens by RS256"),
        (as_text(200, "no json"), ["ES256"], "no strict JSON"),
    ],
    ids=["weak", "none", "other", "nonsense"],
)
def test_keys_that_cannot_be_used(
    answer: Any, algorithms: Any, seen: str, settings: Any, provider: Provider
) -> None:
    provider.answers[JWKS] = answer
    trust(settings, provider, ALGORITHMS=algorithms)
    found = risks()
    assert list(found) == ["keys"]
    assert seen in found["keys"].seen


def test_what_processes_share(
    settings: Any, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(settings, provider)
    find_issuer(provider.url).source.keys()
    store: Any = find_issuer(provider.url).source
    assert store.settle(30)
    provider.stores.append(store)
    assert "are shared, fresh for" in told()["shared_keys"].seen
    provider.publish(public_jwk("RSA"))
    found = told()["shared_keys"]
    assert found.status == "risk"
    assert "has none of them" in found.seen
    settings.DRF_APIKIT["AUTHENTICATION"]["JWKS_LIFETIME"] = 60
    later = SimpleNamespace(time=lambda: time.time() + 700)
    monkeypatch.setattr("drf_apikit.doctor.issuer_keys.time", later)
    assert "due to be fetched" in told()["shared_keys"].seen


def test_a_login_is_in_order(settings: Any, provider: Provider) -> None:
    log_in(settings, provider)
    found = told(provider.url)
    assert list(found) == [
        *("transport", "discovery", "clock", "keys", "endpoints"),
        *("explicit_endpoints", "pkce", "id_token_signing", "iss_parameter"),
    ]
    assert list(told("LOGIN")) == ["registration", "client_authentication"]
    assert risks() == {}
    assert found["iss_parameter"].remedy == ""


def test_settings_of_a_login_that_are_not_obeyed(
    settings: Any, provider: Provider
) -> None:
    log_in(settings, provider)
    settings.OIDC_VERIFY_SSL = False
    found = listed()
    assert [(one.id, one.status) for one in found] == [("issuers.registration", "risk")]
    assert "OIDC_VERIFY_SSL" in found[0].seen


@pytest.mark.parametrize(
    ("members", "risky", "seen"),
    [
        ({"authorization_endpoint": None}, "endpoints", "no authorization_endpoint"),
        ({"token_endpoint": 7}, "endpoints", "no token_endpoint"),
        (
            {"token_endpoint": "https://id.example/t#x"},
            "endpoints",
            "token_endpoint: https://id.example/t#x has a fragment",
        ),
        ({"jwks_uri": None}, "keys", "the discovery document has no jwks_uri"),
        (
            {"jwks_uri": "http://keys.example/"},
            "keys",
            "http://keys.example/: FetchError: http://keys.example/ is not https",
        ),
        (
            {"token_endpoint": "http://id.example/t"},
            "endpoints",
            "token_endpoint: http://id.example/t is not https",
        ),
        (
            {"code_challenge_methods_supported": ["plain", 7]},
            "pkce",
            "S256 is not among its code challenge methods (plain)",
        ),
        (
            {"token_endpoint_auth_methods_supported": ["tls_client_auth"]},
            "client_authentication",
            "It takes tls_client_auth; client_secret_basic or client_secret_post",
        ),
        (
            {"id_token_signing_alg_values_supported": ["HS256"]},
            "id_token_signing",
            "It signs ID tokens by HS256. Accepted is",
        ),
    ],
    ids=str,
)
def test_what_a_login_needs(
    members: Any, risky: str, seen: str, settings: Any, provider: Provider
) -> None:
    log_in(settings, provider)
    describe(provider, **members)
    found = risks()
    assert list(found) == [risky]
    assert seen in found[risky].seen


def test_what_is_not_said_is_no_risk(settings: Any, provider: Provider) -> None:
    log_in(settings, provider)
    members = dict.fromkeys(
        [
            *(
                "code_challenge_methods_supported",
                "id_token_signing_alg_values_supported",
            ),
            "token_endpoint_auth_methods_supported",
            "authorization_response_iss_parameter_supported",
        ]
    )
    describe(provider, **members)
    assert risks() == {}
    found = told()
    assert "RFC 8414" in found["pkce"].remedy
    assert "RFC 9207" in found["iss_parameter"].remedy
    assert "It takes client_secret_basic; " in found["client_authentication"].seen


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"OIDC_TOKEN_USE_BASIC_AUTH": True}, "client_secret_basic is used"),
        ({"OIDC_TOKEN_USE_BASIC_AUTH": False}, "client_secret_post is used"),
        ({"OIDC_RP_CLIENT_SECRET": ""}, "none is used"),
    ],
    ids=str,
)
def test_ways_to_prove_who_the_client_is(
    given: dict[str, Any], seen: str, settings: Any, provider: Provider
) -> None:
    for name, value in given.items():
        setattr(settings, name, value)
    log_in(settings, provider)
    found = told()["client_authentication"]
    assert seen in found.seen
    assert (found.status == "risk") is ("post" in seen)
    assert bool(found.remedy) is ("basic" not in seen)


def test_a_way_that_is_set(settings: Any, provider: Provider) -> None:
    log_in(settings, provider, CLIENT_AUTH_METHOD="private_key_jwt", PRIVATE_KEY=PEM)
    found = told("LOGIN")
    assert risks() == {}
    assert "private_key_jwt is used" in found["client_authentication"].seen
    assert "The private key signs with ES256, as " in found["registration"].seen


def test_keys_that_cannot_sign(settings: Any, provider: Provider) -> None:
    pem = PEM.replace(PEM[60:90], "canary" * 5)
    call(settings, provider, AUTH_METHOD="private_key_jwt", PRIVATE_KEY=pem)
    found = risks()
    assert list(found) == ["registration"]
    assert found["registration"].subject == "ledger"
    assert "The private key cannot be used" in found["registration"].seen
    assert found["registration"].remedy.endswith(", in PEM without a password.")


def test_pkce_that_is_off(settings: Any, provider: Provider) -> None:
    settings.OIDC_USE_PKCE = False
    log_in(settings, provider)
    assert "OIDC_USE_PKCE is off" in risks()["pkce"].seen


def test_endpoints_of_the_settings(settings: Any, provider: Provider) -> None:
    settings.OIDC_OP_TOKEN_ENDPOINT = f"{provider.url}/token"
    log_in(settings, provider)
    assert risks() == {}
    settings.OIDC_OP_TOKEN_ENDPOINT = f"{provider.url}/other"
    settings.OIDC_OP_JWKS_ENDPOINT = f"{provider.url}{JWKS}"
    found = risks()
    assert list(found) == ["explicit_endpoints"]
    assert f"OIDC_OP_TOKEN_ENDPOINT is {provider.url}/other" in (
        found["explicit_endpoints"].seen
    )
    assert found["explicit_endpoints"].remedy == "Remove OIDC_OP_TOKEN_ENDPOINT."
    # Nobody reads a document without it: the other one has to be named as well.
    describe(provider, token_endpoint=None)
    assert "has no token_endpoint" in risks()["endpoints"].seen
    settings.OIDC_OP_AUTHORIZATION_ENDPOINT = f"{provider.url}/authorize"
    assert risks() == {}


def test_clients_are_in_order(settings: Any, provider: Provider) -> None:
    call(settings, provider)
    assert list(told(provider.url)) == ["transport", "discovery", "clock"]
    found = told("ledger")
    assert list(found) == ["endpoints", "client_authentication"]
    assert {str(one.status) for one in found.values()} == {"ok"}
    assert provider.requests == [DISCOVERY] * 2


@pytest.mark.compliance("RFC 8414", "2")
@pytest.mark.parametrize("keys", [None, "http://keys.example/"])
def test_clients_need_no_keys_and_no_login(
    keys: Any, settings: Any, provider: Provider
) -> None:
    describe(provider, jwks_uri=keys, authorization_endpoint=None)
    call(settings, provider)
    assert risks() == {}
    found = metadata_of(provider.url, timeout=2, allow_loopback_http=True)
    assert found.token_endpoint == f"{provider.url}/token"
    # Access tokens of the same provider cannot be verified.
    trust(settings, provider)
    assert list(risks()) == ["keys"]


def test_each_use_allows_plain_http_for_itself(
    settings: Any, certified: tuple[Provider, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, certificate = certified
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    describe(running, token_endpoint="http://127.0.0.1:1/token")
    log_in(settings, running)
    call(settings, running, INSECURE_LOOPBACK_HTTP=False)
    found = risks()
    assert list(found) == ["endpoints"]
    assert found["endpoints"].subject == "ledger"


def test_clients_that_the_provider_does_not_take(
    settings: Any, provider: Provider
) -> None:
    call(settings, provider, AUTH_METHOD="client_secret_post")
    describe(provider, token_endpoint=None)
    found = risks()
    assert list(found) == ["endpoints", "client_authentication"]
    assert {one.subject for one in found.values()} == {"ledger"}


def test_clients_whose_token_endpoint_is_named(
    settings: Any, provider: Provider
) -> None:
    call(settings, provider, TOKEN_ENDPOINT=f"{provider.url}/token")
    assert told()["discovery"].status == "skipped"
    call(settings, provider, TOKEN_ENDPOINT=f"{provider.url}/token", ISSUER=None)
    found = told()
    assert list(found) == ["endpoints"]
    assert (found["endpoints"].status, found["endpoints"].subject) == (
        "skipped",
        "ledger",
    )
    assert provider.requests == []


def test_one_provider_for_everything(settings: Any, provider: Provider) -> None:
    trust(settings, provider, LEEWAY=20)
    log_in(settings, provider, LEEWAY=10)
    call(settings, provider)
    assert risks() == {}
    assert "within 5 seconds" in told()["clock"].seen
    settings.OIDC_RP_SIGN_ALGO = "RS256"
    found = risks()
    assert "None is for ID tokens by RS256." in found["keys"].seen


def test_proxies_lead_to_providers(
    settings: Any, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def ask(*given: Any, **options: Any) -> Any:
        asked.append(options["proxies"])
        return fetch.ask(*given, **options)

    monkeypatch.setattr(issuers, "ask", ask)
    own = {"https": "http://me:canary-proxy@proxy.example:3128"}
    call(settings, provider)
    settings.DRF_APIKIT["CLIENTS"]["PROXIES"] = own
    settings.DRF_APIKIT = dict(settings.DRF_APIKIT)
    told()
    log_in(settings, provider)
    told()
    settings.OIDC_PROXY = other = {"https": "http://other.example:3128"}
    told()
    trust(settings, provider)
    told()
    assert asked[0] == own
    assert asked[1:3] == [None, None]
    assert asked[3:5] == [other, other]
    assert asked[5:] == [None, None]


def test_the_provider_of_the_example(
    settings: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running_provider(tmp_path_factory.mktemp("identity")) as running:
        issuer: Any = SimpleNamespace(url=running.issuer, settings={"AUDIENCE": "x"})
        trust(settings, issuer, INSECURE_LOOPBACK_HTTP=True)
        log_in(settings, issuer)
        call(settings, issuer)
        found = told()
    assert risks_of(found) == {"transport"}
    assert found["pkce"].seen == "It supports S256."


def risks_of(found: dict[str, Finding]) -> set[str]:
    return {name for name, one in found.items() if one.status == "risk"}
