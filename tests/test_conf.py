import dataclasses
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from drf_apikit import conf
from drf_apikit.conf import (
    SECTIONS,
    ApikitSettings,
    ClientSettings,
    IssuerSettings,
    SigningKeySettings,
    TokenClientSettings,
    apikit_settings,
)
from drf_apikit.jose import parse_key_set
from drf_apikit.testing import InMemoryIssuer

ISSUER = "https://id.example"
PRIVATE = "a-secret-that-must-not-be-shown"
JWKS = InMemoryIssuer().jwks
CREDENTIALS_PATH = "DRF_APIKIT['CLIENTS']['CREDENTIALS']"
ISSUERS_PATH = "DRF_APIKIT['AUTHENTICATION']['ISSUERS']"
#: Issuers over plain HTTP, and whether they are on another machine.
LOOPBACK = {
    "http://localhost:8001": False,
    "http://127.0.0.2": False,
    "http://[::1]:8001/realm": False,
    "http://id.internal": True,
    "http://10.0.0.1:8001": True,
    "http://localhost.id.example": True,
    "http://[::1": True,
}
#: 32 octets in URL-safe base64, with characters that the other alphabet has not.
KEY = "__________________________________________8="
KEY_IN_BYTES = b"A" * 43 + b"="

KNOWN_OF_PAGINATION = (
    "Known: PAGE_SIZE, MAX_PAGE_SIZE, CLAMP_PAGE_SIZE, MAX_OFFSET, COUNT,"
    " COUNT_CHOICES, COUNT_BOUND, COUNT_TIMEOUT, INVALID_AS_404."
)
PROXIES = {"http": "http://proxy.example", "https": "socks5://me:word@h.example:1080"}
BAD_PROXIES = [
    "http://proxy.example",
    ["http://proxy.example"],
    {"ftp": "http://proxy.example"},
    {"https": "proxy.example:3128"},
    {"https": "http://proxy.example/path"},
    {"https": f"http://{PRIVATE} @proxy.example"},
    {"https": 7},
    7,
]
BAD_ISSUERS = ["", "/", "id.example", "https://id.example/?a", "ftp://id.example", 7]
BAD_GROUPS = [
    *(None, ["admin"], "admin"),
    *({"admin": 7}, {7: "admin"}, {"": "a"}, {"a": ""}),
]
#: In no time zone.
NAIVE = datetime.fromisoformat("2026-12-01")
PEM = "-----BEGIN EC PRIVATE KEY-----\nMC4CAQ\n-----END EC PRIVATE KEY-----\n"
BAD_KEYS = ["", PRIVATE, PEM.replace("PRIVATE", "PUBLIC"), PEM.encode(), 7]
#: For each setting: a value, what it becomes, and values that it must not have.
#: A setting without a line here fails `test_every_setting_has_a_case`.
CASES: Mapping[str, Mapping[str, tuple[Any, Any, list[Any]]]] = {
    "PAGINATION": {
        "page_size": (7, 7, [0, -1, 10_001, True, "7", 7.0, [7]]),
        "max_page_size": (50, 50, [0, 10_001, None, False, "50", 50.0]),
        "clamp_page_size": (True, True, [1, 0, None, "yes", "True"]),
        "max_offset": (0, 0, [-1, 1_000_000_001, None, False, "50", 50.0]),
        "count": ("none", "none", ["", "EXACT", "all", None, True, ["exact"]]),
        "count_choices": (
            ["bounded", "exact"],
            frozenset({"bounded", "exact"}),
            ["all", [], [""], [7], None, {"exact": 1}, True, ["exact", "all"]],
        ),
        "count_bound": (1, 1, [0, 100_000_001, None, True, "7", 7.0]),
        "count_timeout": (50, 50, [0, 600_001, True, "50", 50.0]),
        "invalid_as_404": (True, True, [1, 0, None, "yes", "True"]),
    },
    "PROBLEMS": {
        "type_base": (
            "https://api.example/problems/",
            "https://api.example/problems/",
            ["", "problems/", "/problems", "ftp://a/", None, 7, b"/p/"],
        ),
        "max_errors": (5, 5, [0, 10_001, None, True, "5"]),
        "paths": (
            ["/api/", "/v2/"],
            frozenset({"/api/", "/v2/"}),
            ["", [], [""], [7], [None], {"/api/": 1}, 7, True, "api/", ["/a", "b/"]],
        ),
        "database_errors_as_503": (True, True, [1, 0, None, "yes", "True"]),
    },
    "CONDITIONAL": {
        "require_preconditions": (True, True, [1, 0, None, "yes", "True"]),
        "accept_weak_if_match": (True, True, [1, 0, None, "yes", "True"]),
        "put_validators": ("always", "always", ["", "ALWAYS", None, True, "yes"]),
        "verify_sample_rate": (1, 1.0, [-0.1, 1.1, True, None, "0.5", float("nan")]),
        "revision": ("", "", [None, 7, b"a"]),
        "cache": ("shared", "shared", ["", None, 7]),
        "generations": (
            ["auth.User", "Ledger.Account"],
            frozenset({"auth.user", "Ledger.account"}),
            ["", [], [""], ["User"], ["a.b.c"], ["auth.User "], [7], None, {"a.b": 1}],
        ),
        "generation_life": (1, 1, [0, 366 * 86_400 + 1, None, True, "60", 60.0]),
        "generation_mark_life": (1, 1, [0, 86_401, None, True, "60", 60.0]),
    },
    "IDEMPOTENCY": {
        "required": (True, True, [1, None, "yes"]),
        "ttl": (3600, 3600, [59, 366 * 86_400 + 1, None, True, "3600", 3600.0]),
        "max_body": (0, 0, [-1, 64 * 1024 * 1024 + 1, None, True, "1"]),
        "anonymous": ("pass", "pass", ["", "REFUSE", "ignore", None, True, ["pass"]]),
        "tenant": (
            "tests.app.tenant_of",
            "tests.app.tenant_of",
            ["", "tenant", ".tenant", "app.", "a..b", "a b.c", "a.1", 7, print],
        ),
        "headers": (
            ["X-Receipt", "sunset"],
            frozenset({"x-receipt", "sunset"}),
            ["", [], [""], ["X Receipt"], ["Set-Cookie"], ["date"], [7], None, True],
        ),
        "encryption_keys": (
            [KEY, KEY_IN_BYTES],
            (b"\xff" * 32, b"\0" * 32),
            [
                "",
                [],
                KEY,
                [KEY[:-4]],
                ["é" * 44],
                [7],
                [None],
                None,
                {KEY: 1},
                ["*" * 44],
            ],
        ),
        "cache": ("shared", "shared", ["", 7, True, ["shared"]]),
        "cache_life": (1, 1, [0, 366 * 86_400 + 1, None, True, "60", 60.0]),
    },
    "METRICS": {
        "counter": (
            "tests.app.count",
            "tests.app.count",
            ["", "count", ".count", "app.", "a..b", "a b.c", "a.1", 7, print],
        ),
    },
    "AUTHENTICATION": {
        "issuers": (
            {},
            {},
            [None, [], ISSUER, [(ISSUER, {})], 7, {7: {}}, {"": {}}, {"id": {}}],
        ),
        "realm": ("ledger", "ledger", ['a"b', "a\\b", "é", "a\nb", "\0", None, 7]),
        "principal_resolver": (
            "tests.app.resolve",
            "tests.app.resolve",
            [None, "", "resolve", "a-b.c", 7],
        ),
        "fetch_timeout": (1, 1, [0, 31, None, True, 1.5, "1"]),
        "jwks_lifetime": (60, 60, [59, 86_401, None, True, "60"]),
        "jwks_stale_lifetime": (60, 60, [59, 30 * 86_400 + 1, None, True, "60"]),
        "cache": ("other", "other", ["", None, 7, ["default"]]),
        "transport": (
            "tests.app.transport",
            "tests.app.transport",
            [None, "", "transport", "a-b.c", 7],
        ),
        "proxies": (PROXIES, PROXIES, BAD_PROXIES),
        "token_cache_size": (1, 1, [-1, 1_000_001, None, True, "1", 1.0]),
    },
    "LOGIN": {
        "issuer": ("https://other.example", "https://other.example", BAD_ISSUERS),
        "client_auth_method": ("none", "none", ["", "basic", 7, ["none"]]),
        "private_key": (PEM, PEM, BAD_KEYS),
        "private_key_id": ("k", "k", ["", 7]),
        "assertion_audience": ("a", "a", ["", 7]),
        "users": ("create", "create", ["", "local", 7]),
        "match_verified_email": (True, True, [1, 0, None, "yes"]),
        "groups_claim": ("roles", "roles", ["", 7, ["roles"]]),
        "groups": ({}, {}, BAD_GROUPS),
        "staff": (None, None, ["", [], [7], {"a": "b"}, True]),
        "leeway": (0, 0, [-1, 301, None, True, 1.5, "30"]),
        "max_age": (0, 0, [-1, 366 * 86_400 + 1, True, 1.5, "60"]),
        "session_grace": (0, 0, [-1, 86_401, None, True, 1.5, "60"]),
        "logout_at_provider": (False, False, [1, 0, None, "yes"]),
        "insecure_loopback_http": (True, True, [1, 0, None, "yes"]),
    },
    "CLIENTS": {
        "credentials": ({}, {}, [None, [], "shop", 7, {7: {}}, {"": {}}]),
        "cache": ("other", "other", ["", None, 7, ["default"]]),
        "timeout": (1, 1, [0, 31, None, True, 1.5, "1"]),
        "proxies": (PROXIES, PROXIES, BAD_PROXIES),
    },
    "TOKENS": {
        "issuer": (ISSUER, ISSUER, BAD_ISSUERS),
        "audience": ("a", frozenset({"a"}), ["", [], [""], [7], {}, 7, True]),
        "algorithm": ("ES256", "ES256", ["", "none", "HS256", "es256", None, 7]),
        "keys": ({}, {}, [None, [], "k", 7, {7: {}}, {"": {}}, {"1": {}}, {"a b": {}}]),
        "encryption_keys": (
            [KEY],
            (bytes([255]) * 32,),
            [None, [], "", KEY, [KEY[:-4]], [7], [f"{PRIVATE}"]],
        ),
        "rotation_period": (3600, 3600, [0, 3599, 3660 * 86_400 + 1, True, "60"]),
        "publication_lead": (0, 0, [-1, 30 * 86_400 + 1, None, True, 1.5, "60"]),
        "access_lifetime": (30, 30, [0, 29, 86_401, True, 1.5, "60"]),
        "refresh_lifetime": (60, 60, [0, 59, 366 * 86_400 + 1, True, 1.5, "60"]),
        "session_lifetime": (
            60,
            60,
            [0, 59, 3660 * 86_400 + 1, None, True, 1.5, "60"],
        ),
        "reuse_grace": (0, 0, [-1, 301, None, True, 1.5, "10"]),
        "repeat_successor": (True, True, [1, 0, None, "yes"]),
        "max_size": (512, 512, [0, 511, 15_001, None, True, 1.5, "2048"]),
        "scopes": ("read", frozenset({"read"}), [None, "", [], [""], [7], True]),
        "clients": ({}, {}, [None, [], "app", 7, {7: {}}, {"": {}}, {"7": {}}]),
        "claims": ("tests.app.claims", "tests.app.claims", ["", "claims", "a-b.c", 7]),
        "legacy_refresh_tokens": (
            "exchange",
            "exchange",
            ["", "accept", None, True, 7],
        ),
    },
}
#: What a setting needs beside it.
BESIDE = {("TOKENS", "issuer"): {"AUDIENCE": "a"}}
ISSUER_CASES: Mapping[str, tuple[Any, Any, list[Any]]] = {
    "audience": (
        ["a", "b"],
        frozenset({"a", "b"}),
        [None, "", [], [""], [7], {}, {"a": 1}, 7, True],
    ),
    "algorithms": (
        ["ES256"],
        frozenset({"ES256"}),
        [None, "", [], "none", ["none"], ["ES256", "HS256"], "es256", [["ES256"]], 7],
    ),
    "clients": ("shop", frozenset({"shop"}), ["", [], [""], [None], 7, True]),
    "jwks": (
        JWKS,
        parse_key_set(JWKS),
        [
            {},
            [],
            "https://id.example/keys",
            {"keys": []},
            {"keys": [{}]},
            {"keys": [{"kty": "oct", "k": PRIVATE}]},
            [{"kty": "oct", "k": PRIVATE}],
            {"kty": "oct", "k": PRIVATE},
        ],
    ),
    "jwks_uri": (
        "https://id.example/keys?p=policy",
        "https://id.example/keys?p=policy",
        [
            "",
            "/keys",
            "id.example/keys",
            "ftp://id.example/keys",
            "https://",
            "https:///keys",
            "https://id.example/keys#a",
            "https://id.example/a b",
            "https://id.example\\@evil.example/",
            "https://me:secret@id.example/keys",
            7,
        ],
    ),
    "key_source": (
        "tests.app.keys",
        "tests.app.keys",
        ["", "keys", "a-b.c", "https://id.example/keys", 7],
    ),
    "leeway": (0, 0, [-1, 301, None, True, 1.5, "30"]),
    "max_lifetime": (60, 60, [0, 366 * 86_400 + 1, True, 1.5, "60"]),
    "insecure_loopback_http": (True, True, [1, 0, None, "yes"]),
    "insecure_ignore_confirmation": (True, True, [1, 0, None, "yes"]),
    "token_profile": ("entra", "entra", ["", "Entra", "jwt", None, 7, ["entra"]]),
    "subject_claim": ("oid", "oid", ["", 7, ["sub"]]),
    "scope_claim": ("permissions", "permissions", ["", 7, ["scp"]]),
    "users": ("create", "create", ["", "CREATE", None, 7]),
    "match_verified_email": (True, True, [1, 0, None, "yes"]),
    "groups_claim": ("realm_access.roles", "realm_access.roles", ["", 7, ["roles"]]),
    "groups": ({}, {}, BAD_GROUPS),
    "staff": (None, None, ["", [], [7], {"a": "b"}, True]),
}
CLIENT_CASES: Mapping[str, tuple[Any, Any, list[Any]]] = {
    "issuer": (ISSUER, ISSUER, BAD_ISSUERS),
    "token_endpoint": (
        f"{ISSUER}/token?p=policy",
        f"{ISSUER}/token?p=policy",
        ["", "/token", "ftp://id.example/token", "https://me:word@id.example/", 7],
    ),
    "client_id": ("shop", "shop", ["", 7]),
    "client_secret": ("word", "word", ["", 7, PRIVATE.encode()]),
    "auth_method": (
        "client_secret_post",
        "client_secret_post",
        ["", "basic", "none", None, 7],
    ),
    "private_key": (PEM, PEM, BAD_KEYS),
    "private_key_id": ("k", "k", ["", 7]),
    "assertion_audience": ("a", "a", ["", 7]),
    "scopes": ("read", frozenset({"read"}), ["", [], [""], [None], 7, True]),
    "audience": ("a", "a", ["", 7]),
    "resource": ("https://api.example", "https://api.example", ["", "urn:api", 7]),
    "insecure_loopback_http": (True, True, [1, 0, None, "yes"]),
}
KEY_CASES: Mapping[str, tuple[Any, Any, list[Any]]] = {
    "private_key": (PEM, PEM, BAD_KEYS),
    "file": ("signing.pem", "signing.pem", ["", 7]),
    "env": ("SIGNING_KEY", "SIGNING_KEY", ["", 7]),
    "active_from": (
        "2026-12-01T00:00:00Z",
        datetime(2026, 12, 1, tzinfo=UTC),
        ["", "tomorrow", "2026-12-01", "2026-12-01T00:00:00", 7, NAIVE],
    ),
    "dead_from": (
        datetime(2026, 12, 1, tzinfo=UTC),
        datetime(2026, 12, 1, tzinfo=UTC),
        ["", "2026-12-01T00:00:00", 7],
    ),
}
TOKEN_CLIENT_CASES: Mapping[str, tuple[Any, Any, list[Any]]] = {
    "scopes": ("read", frozenset({"read"}), ["", [], [""], [None], 7, True]),
    "access_lifetime": (30, 30, [0, 29, 86_401, True, 1.5, "60"]),
    "refresh_lifetime": (60, 60, [0, 59, 366 * 86_400 + 1, True, 1.5, "60"]),
    "session_lifetime": (60, 60, [0, 59, 3660 * 86_400 + 1, True, 1.5, "60"]),
}
#: Of which kind of entry: where they are, what they are, their cases, what is beside.
ENTRIES: Mapping[str, tuple[type, Mapping[str, Any], dict[str, Any]]] = {
    "KEYS": (SigningKeySettings, KEY_CASES, {"FILE": "signing.pem"}),
    "CLIENTS": (TokenClientSettings, TOKEN_CLIENT_CASES, {}),
}
#: Whose default is something that the other column cannot hold.
OPTIONAL = {
    "paths",
    "page_size",
    "tenant",
    "clients",
    "jwks",
    "jwks_uri",
    "key_source",
    "max_lifetime",
    "groups_claim",
    "scope_claim",
    "staff",
    "subject_claim",
}


def good() -> Iterator[Any]:
    for section, fields in CASES.items():
        for name, (raw, parsed, _) in fields.items():
            yield pytest.param(section, name, raw, parsed, id=f"{section}-{name}")


def bad() -> Iterator[Any]:
    for section, fields in CASES.items():
        for name, (_, _, wrong) in fields.items():
            for raw in wrong:
                yield pytest.param(section, name, raw, id=f"{name}-{raw!a}"[:50])


def bad_of_an_issuer() -> Iterator[Any]:
    for name, (_, _, wrong) in ISSUER_CASES.items():
        for raw in wrong:
            yield pytest.param(name, raw, id=f"{name}-{raw!a}"[:50])


def bad_of_a_client() -> Iterator[Any]:
    for name, (_, _, wrong) in CLIENT_CASES.items():
        for raw in wrong:
            yield pytest.param(name, raw, id=f"{name}-{raw!a}"[:50])


def entry_settings(kind: str, **values: Any) -> dict[str, Any]:
    """Give one entry of a dict of the section `TOKENS`."""
    beside = {} if {"private_key", "env"} & values.keys() else ENTRIES[kind][2]
    entry = beside | {name.upper(): raw for name, raw in values.items()}
    first = {"first": ENTRIES[kind][2]}
    return {"TOKENS": {kind: {**first, "own": entry}}}


def good_of_entries() -> Iterator[Any]:
    for kind, (_, fields, _) in ENTRIES.items():
        for name, (raw, parsed, _) in fields.items():
            yield pytest.param(kind, name, raw, parsed, id=f"{kind}-{name}")


def bad_of_entries() -> Iterator[Any]:
    for kind, (_, fields, _) in ENTRIES.items():
        for name, (_, _, wrong) in fields.items():
            for raw in wrong:
                yield pytest.param(kind, name, raw, id=f"{kind}-{name}-{raw!a}"[:50])


def client_settings(**values: Any) -> dict[str, Any]:
    entry = {"ISSUER": ISSUER, "CLIENT_ID": "shop", "CLIENT_SECRET": "word"}
    entry |= {name.upper(): raw for name, raw in values.items()}
    return {"CLIENTS": {"CREDENTIALS": {"own": entry}}}


def issuer_settings(**values: Any) -> dict[str, Any]:
    entry = {"AUDIENCE": "api", **{name.upper(): raw for name, raw in values.items()}}
    return {"AUTHENTICATION": {"ISSUERS": {ISSUER: entry}}}


def read(section: str) -> Any:
    return getattr(apikit_settings, section.lower())


def faults_of(value: Any) -> list[conf.Fault]:
    with override_settings(DRF_APIKIT=value):
        return apikit_settings.faults()


def test_every_setting_has_a_case() -> None:
    assert {name: set(fields) for name, fields in CASES.items()} == {
        name: {field.name for field in dataclasses.fields(section)}
        for name, section in SECTIONS.items()
    }
    assert set(ISSUER_CASES) == {f.name for f in dataclasses.fields(IssuerSettings)}
    assert set(CLIENT_CASES) == {f.name for f in dataclasses.fields(ClientSettings)}
    for section, cases, _ in ENTRIES.values():
        assert set(cases) == {f.name for f in dataclasses.fields(section)}


@pytest.mark.parametrize(("kind", "name", "raw", "parsed"), list(good_of_entries()))
def test_a_changed_setting_of_a_key_or_an_application_reaches_every_reader(
    kind: str, name: str, raw: Any, parsed: Any
) -> None:
    with override_settings(DRF_APIKIT=entry_settings(kind, **{name: raw})):
        entry = getattr(apikit_settings.tokens, kind.lower())["own"]
        assert getattr(entry, name) == parsed
        assert apikit_settings.faults() == []
    assert not getattr(apikit_settings.tokens, kind.lower())


@pytest.mark.parametrize(("kind", "name", "raw"), list(bad_of_entries()))
def test_a_bad_value_of_a_key_or_an_application_is_a_fault(
    kind: str, name: str, raw: Any
) -> None:
    (fault,) = faults_of(entry_settings(kind, **{name: raw}))
    path = f"DRF_APIKIT['TOKENS'][{kind!r}]['own'][{name.upper()!r}]"
    assert (fault.code, fault.setting) == ("value", path)
    assert fault.hint.startswith("It must be None, or ")
    assert PRIVATE not in fault.message + fault.hint


@pytest.mark.parametrize(
    ("values", "settings"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"ISSUER": ISSUER}, ["['AUDIENCE']"], id="no-audience"),
        pytest.param({"AUDIENCE": "a"}, [], id="no-issuer"),
        pytest.param(
            {"REFRESH_LIFETIME": 61, "SESSION_LIFETIME": 60},
            ["['REFRESH_LIFETIME']"],
            id="lives",
        ),
        pytest.param(
            {"REFRESH_LIFETIME": 60, "SESSION_LIFETIME": 60}, [], id="equal-lives"
        ),
        pytest.param(
            {"CLIENTS": {"app": {"REFRESH_LIFETIME": 61, "SESSION_LIFETIME": 60}}},
            ["['CLIENTS']['app']['REFRESH_LIFETIME']"],
            id="lives-of-an-application",
        ),
        pytest.param(
            {"CLIENTS": {"app": {"REFRESH_LIFETIME": 60, "SESSION_LIFETIME": 60}}},
            [],
            id="equal-lives-of-an-application",
        ),
        pytest.param({"KEYS": {"a": {}}}, ["['KEYS']['a']['PRIVATE_KEY']"], id="empty"),
        pytest.param(
            {"KEYS": {"a": {"ENV": "A", "FILE": "a"}}},
            ["['KEYS']['a']['FILE']"],
            id="two-sources",
        ),
        pytest.param(
            {"KEYS": {"a": {"ENV": "A", "ACTIVE_FROM": "2026-12-01T00:00:00Z"}}},
            ["['KEYS']"],
            id="none-that-signs",
        ),
    ],
)
def test_settings_of_tokens_that_do_not_go_together_are_faults(
    values: dict[str, Any], settings: list[str]
) -> None:
    found = faults_of({"TOKENS": values})
    assert [f.setting for f in found] == [f"DRF_APIKIT['TOKENS']{s}" for s in settings]
    assert all(fault.hint.endswith(".") for fault in found)


@pytest.mark.parametrize("name", ["JWKS", "JWKS_URI"])
def test_the_keys_of_an_issuer_have_one_source(name: str) -> None:
    given = {"JWKS": JWKS, "JWKS_URI": f"{ISSUER}/keys"}[name]
    settings = {"key_source": "tests.app.keys", name.lower(): given}
    (fault,) = faults_of(issuer_settings(**settings))
    assert fault.setting == f"{ISSUERS_PATH}[{ISSUER!r}]['KEY_SOURCE']"


def test_an_issuer_whose_keys_are_here_may_have_any_name() -> None:
    entry = {"AUDIENCE": "a", "KEY_SOURCE": "tests.app.keys"}
    named = {"AUTHENTICATION": {"ISSUERS": {"http://api.internal": entry}}}
    assert faults_of(named) == []


@pytest.mark.parametrize(("section", "name", "raw", "parsed"), list(good()))
def test_a_changed_setting_reaches_every_reader(
    section: str, name: str, raw: Any, parsed: Any
) -> None:
    before = read(section)
    beside = BESIDE.get((section, name), {})
    with override_settings(DRF_APIKIT={section: {name.upper(): raw, **beside}}):
        assert getattr(read(section), name) == parsed
        assert apikit_settings.faults() == []
        others = {f.name for f in dataclasses.fields(before)} - {name}
        others -= {key.lower() for key in beside}
        assert all(
            getattr(read(section), other) == getattr(before, other) for other in others
        )
        with override_settings(DRF_APIKIT={}):
            assert read(section) == before
        assert getattr(read(section), name) == parsed
    assert read(section) == before


@pytest.mark.parametrize(
    ("name", "raw", "parsed"),
    [
        pytest.param(name, raw, parsed, id=name)
        for name, (raw, parsed, _) in ISSUER_CASES.items()
    ],
)
def test_a_changed_setting_of_an_issuer_reaches_every_reader(
    name: str, raw: Any, parsed: Any
) -> None:
    with override_settings(DRF_APIKIT=issuer_settings(**{name: raw})):
        issuer = apikit_settings.authentication.issuers[ISSUER]
        assert getattr(issuer, name) == parsed
        assert apikit_settings.faults() == []
    assert ISSUER not in apikit_settings.authentication.issuers


@pytest.mark.parametrize(
    ("name", "raw", "parsed"),
    [
        pytest.param(name, raw, parsed, id=name)
        for name, (raw, parsed, _) in CLIENT_CASES.items()
    ],
)
def test_a_changed_setting_of_a_client_reaches_every_reader(
    name: str, raw: Any, parsed: Any
) -> None:
    with override_settings(DRF_APIKIT=client_settings(**{name: raw})):
        client = apikit_settings.clients.credentials["own"]
        assert getattr(client, name) == parsed
        assert apikit_settings.faults() == []
    assert "own" not in apikit_settings.clients.credentials


@pytest.mark.parametrize(("name", "raw"), list(bad_of_a_client()))
def test_a_bad_value_of_a_client_is_a_fault(name: str, raw: Any) -> None:
    path = f"{CREDENTIALS_PATH}['own'][{name.upper()!r}]"
    with override_settings(DRF_APIKIT=client_settings(**{name: raw})):
        (fault,) = apikit_settings.faults()
        with pytest.raises(ImproperlyConfigured, match="It must be "):
            read("CLIENTS")
    assert (fault.code, fault.setting) == ("value", path)
    assert PRIVATE not in fault.message + fault.hint


@pytest.mark.parametrize(
    ("entry", "keys"),
    [
        pytest.param({}, ["ISSUER", "CLIENT_ID", "CLIENT_SECRET"], id="nothing"),
        pytest.param(
            {"ISSUER": ISSUER, "CLIENT_ID": "a", "AUTH_METHOD": "private_key_jwt"},
            ["PRIVATE_KEY"],
            id="no-key",
        ),
        pytest.param(
            {"ISSUER": ISSUER, "CLIENT_ID": "a", "PRIVATE_KEY": PEM},
            ["CLIENT_SECRET"],
            id="key-alone",
        ),
        pytest.param(
            {"ISSUER": "http://localhost", "CLIENT_ID": "a", "CLIENT_SECRET": "b"},
            ["INSECURE_LOOPBACK_HTTP"],
            id="http",
        ),
        pytest.param(
            {
                "ISSUER": ISSUER,
                "TOKEN_ENDPOINT": "http://id.example/token",
                "CLIENT_ID": "a",
                "CLIENT_SECRET": "b",
            },
            ["INSECURE_LOOPBACK_HTTP"],
            id="http-endpoint",
        ),
        *(
            pytest.param(
                {
                    "ISSUER": issuer,
                    "CLIENT_ID": "a",
                    "CLIENT_SECRET": "b",
                    "INSECURE_LOOPBACK_HTTP": True,
                },
                ["INSECURE_LOOPBACK_HTTP"] if faulty else [],
                id=issuer,
            )
            for issuer, faulty in LOOPBACK.items()
        ),
        pytest.param(
            {
                "TOKEN_ENDPOINT": "http://localhost/token",
                "CLIENT_ID": "a",
                "AUTH_METHOD": "private_key_jwt",
                "PRIVATE_KEY": PEM,
                "INSECURE_LOOPBACK_HTTP": True,
            },
            [],
            id="good",
        ),
    ],
)
def test_settings_of_a_client_that_do_not_go_together_are_faults(
    entry: dict[str, Any], keys: list[str]
) -> None:
    found = faults_of({"CLIENTS": {"CREDENTIALS": {"own": entry}}})
    path = f"{CREDENTIALS_PATH}['own']"
    assert [fault.setting for fault in found] == [f"{path}[{key!r}]" for key in keys]
    assert all(fault.hint.endswith(".") for fault in found)


@pytest.mark.parametrize(
    ("entry", "keys"),
    [
        pytest.param({}, [], id="off"),
        pytest.param({"ISSUER": ISSUER}, [], id="on"),
        pytest.param(
            {"ISSUER": "http://localhost"}, ["INSECURE_LOOPBACK_HTTP"], id="http"
        ),
        pytest.param(
            {"ISSUER": "http://localhost", "INSECURE_LOOPBACK_HTTP": True},
            [],
            id="http-for-development",
        ),
        *(
            pytest.param(
                {"ISSUER": issuer, "INSECURE_LOOPBACK_HTTP": True},
                ["INSECURE_LOOPBACK_HTTP"] if faulty else [],
                id=issuer,
            )
            for issuer, faulty in LOOPBACK.items()
        ),
        pytest.param(
            {"ISSUER": ISSUER, "CLIENT_AUTH_METHOD": "private_key_jwt"},
            ["PRIVATE_KEY"],
            id="no-key",
        ),
        pytest.param({"GROUPS": {"a": "b"}}, ["GROUPS_CLAIM"], id="groups"),
    ],
)
def test_settings_of_the_login_that_do_not_go_together_are_faults(
    entry: dict[str, Any], keys: list[str]
) -> None:
    found = faults_of({"LOGIN": entry})
    paths = [f"DRF_APIKIT['LOGIN'][{key!r}]" for key in keys]
    assert [fault.setting for fault in found] == paths


@pytest.mark.parametrize(("section", "name", "raw"), list(bad()))
def test_a_bad_value_is_a_fault_with_setting_value_and_remedy(
    section: str, name: str, raw: Any
) -> None:
    path = f"DRF_APIKIT[{section!r}][{name.upper()!r}]"
    with override_settings(DRF_APIKIT={section: {name.upper(): raw}}):
        (fault,) = apikit_settings.faults()
        with pytest.raises(ImproperlyConfigured) as raised:
            read(section)
    assert (fault.code, fault.setting) == ("value", path)
    assert fault.message.startswith(f"{path} is ")
    assert fault.hint.startswith("It must be ")
    assert str(raised.value) == f"{fault.message} {fault.hint}"


@pytest.mark.parametrize(("name", "raw"), list(bad_of_an_issuer()))
def test_a_bad_value_of_an_issuer_is_a_fault(name: str, raw: Any) -> None:
    path = f"{ISSUERS_PATH}[{ISSUER!r}][{name.upper()!r}]"
    with override_settings(DRF_APIKIT=issuer_settings(**{name: raw})):
        (fault,) = apikit_settings.faults()
        with pytest.raises(ImproperlyConfigured, match="It must be "):
            read("AUTHENTICATION")
    assert (fault.code, fault.setting) == ("value", path)
    assert PRIVATE not in fault.message + fault.hint
    assert ("None, or" in fault.hint) is (name in OPTIONAL)


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("raw", [None, [], "x", 7, {"PAGE_SIZE"}], ids=repr)
def test_a_section_must_be_a_dict(section: str, raw: Any) -> None:
    with override_settings(DRF_APIKIT={section: raw}):
        (fault,) = apikit_settings.faults()
        with pytest.raises(ImproperlyConfigured, match="a dict"):
            read(section)
        for other in set(SECTIONS) - {section}:
            assert read(other) is not None
    assert fault.setting == f"DRF_APIKIT[{section!r}]"
    assert fault.message.endswith(f" is {raw!r}.")
    assert fault.hint == "It must be a dict."


@pytest.mark.parametrize("raw", [None, [], "x", 7], ids=repr)
def test_the_setting_must_be_a_dict(raw: Any) -> None:
    with override_settings(DRF_APIKIT=raw):
        (fault,) = apikit_settings.faults()
        for section in SECTIONS:
            with pytest.raises(ImproperlyConfigured, match="a dict"):
                read(section)
    assert (fault.code, fault.setting) == ("value", "DRF_APIKIT")
    assert fault.message == f"DRF_APIKIT is {raw!r}."
    assert fault.hint == "It must be a dict of sections."


@override_settings()
def test_without_the_setting_the_defaults_hold() -> None:
    del settings.DRF_APIKIT
    own = ApikitSettings()
    assert own.faults() == []
    assert own.pagination == conf.PaginationSettings()
    assert own.problems == conf.ProblemsSettings()
    assert own.conditional == conf.ConditionalSettings()
    assert own.idempotency == conf.IdempotencySettings()
    assert own.login == conf.LoginSettings()
    assert own.clients == conf.ClientsSettings()
    assert own.tokens == conf.TokensSettings()
    assert own.authentication == conf.AuthenticationSettings()
    assert dict(own.authentication.issuers) == {}


@pytest.mark.parametrize(
    ("value", "setting", "hint"),
    [
        pytest.param(
            {"PAGINATON": {}},
            "DRF_APIKIT['PAGINATON']",
            "Did you mean 'PAGINATION'?",
            id="section",
        ),
        pytest.param(
            {"pagination": {}},
            "DRF_APIKIT['pagination']",
            "Did you mean 'PAGINATION'?",
            id="section-in-lower-case",
        ),
        pytest.param(
            {"PAGINATION": {"PAGESIZE": 7}},
            "DRF_APIKIT['PAGINATION']['PAGESIZE']",
            "Did you mean 'PAGE_SIZE'?",
            id="key",
        ),
        pytest.param(
            {"PAGINATION": {"page_size": 7}},
            "DRF_APIKIT['PAGINATION']['page_size']",
            "Did you mean 'PAGE_SIZE'?",
            id="key-in-lower-case",
        ),
        pytest.param(
            {"PAGINATION": {"XYZ": 7}},
            "DRF_APIKIT['PAGINATION']['XYZ']",
            KNOWN_OF_PAGINATION,
            id="nothing-like-it",
        ),
        pytest.param(
            {"PAGINATION": {7: 7}},
            "DRF_APIKIT['PAGINATION'][7]",
            KNOWN_OF_PAGINATION,
            id="number",
        ),
        pytest.param(
            issuer_settings(audiance="x"),
            f"{ISSUERS_PATH}[{ISSUER!r}]['AUDIANCE']",
            "Did you mean 'AUDIENCE'?",
            id="issuer",
        ),
    ],
)
def test_an_unknown_key_is_a_fault_with_the_closest_known_one(
    value: Any, setting: str, hint: str
) -> None:
    (fault,) = faults_of(value)
    assert (fault.code, fault.setting, fault.hint) == ("unknown", setting, hint)
    assert "has the unknown key" in fault.message


def test_an_audience_is_mandatory() -> None:
    with override_settings(DRF_APIKIT={"AUTHENTICATION": {"ISSUERS": {ISSUER: {}}}}):
        (fault,) = apikit_settings.faults()
        with pytest.raises(ImproperlyConfigured, match="AUDIENCE'] is missing"):
            read("AUTHENTICATION")
    assert fault.code == "missing"
    assert fault.setting == f"{ISSUERS_PATH}[{ISSUER!r}]['AUDIENCE']"
    assert fault.hint == "Set AUDIENCE, or a token for another API would do here."


CLAIM = "Name the claim whose values GROUPS and STAFF map."
LOCAL = "Users of this project keep the rights that they have here: remove it."


@pytest.mark.parametrize(
    ("entry", "key", "hint"),
    [
        pytest.param(
            {"TOKEN_PROFILE": "cognito"},
            "AUDIENCE",
            "Set AUDIENCE or CLIENTS, or a token for another API would do here.",
            id="no-client",
        ),
        pytest.param(
            {"CLIENTS": ["shop"]},
            "AUDIENCE",
            "Set AUDIENCE, or a token for another API would do here.",
            id="clients-alone",
        ),
        pytest.param(
            {"AUDIENCE": "api", "GROUPS": {"a": "b"}},
            "GROUPS_CLAIM",
            CLAIM,
            id="groups",
        ),
        pytest.param(
            {"AUDIENCE": "api", "STAFF": ["a"]}, "GROUPS_CLAIM", CLAIM, id="staff"
        ),
        pytest.param(
            {"AUDIENCE": "api", "USERS": "local", "MATCH_VERIFIED_EMAIL": True},
            "MATCH_VERIFIED_EMAIL",
            LOCAL,
            id="local-email",
        ),
        pytest.param(
            {"AUDIENCE": "api", "USERS": "local", "GROUPS_CLAIM": "groups"},
            "GROUPS_CLAIM",
            LOCAL,
            id="local-groups",
        ),
        pytest.param(
            {"AUDIENCE": "api", "TOKEN_PROFILE": "simplejwt", "CLIENTS": ["shop"]},
            "CLIENTS",
            "Its tokens name no client: remove it.",
            id="clients-of-none",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_a_fault(
    entry: dict[str, Any], key: str, hint: str
) -> None:
    (fault,) = faults_of({"AUTHENTICATION": {"ISSUERS": {ISSUER: entry}}})
    assert fault.setting == f"{ISSUERS_PATH}[{ISSUER!r}][{key!r}]"
    assert fault.hint == hint


def test_clients_will_do_where_tokens_have_no_audience() -> None:
    entry = {"TOKEN_PROFILE": "cognito", "CLIENTS": ["shop"]}
    assert faults_of({"AUTHENTICATION": {"ISSUERS": {ISSUER: entry}}}) == []


@pytest.mark.parametrize("raw", [None, [], "api", 7], ids=repr)
def test_an_issuer_must_be_a_dict(raw: Any) -> None:
    (fault,) = faults_of({"AUTHENTICATION": {"ISSUERS": {ISSUER: raw}}})
    assert fault.setting == f"{ISSUERS_PATH}[{ISSUER!r}]"
    assert fault.hint == "It must be a dict."


@pytest.mark.compliance("RFC 8414", "2")
@pytest.mark.parametrize(
    "issuer",
    [
        "id.example",
        "https://",
        "https://id.example?tenant=a",
        "https://id.example/?",
        "https://id.example#a",
        "https://me@id.example",
        "HTTPS://id.example",
        " https://id.example",
        "https://id.example\n",
        "file:///keys",
        None,
        7,
        ("https://id.example",),
    ],
    ids=repr,
)
def test_an_issuer_is_a_url_without_query_and_fragment(issuer: Any) -> None:
    value = {"AUTHENTICATION": {"ISSUERS": {issuer: {"AUDIENCE": "api"}}}}
    (fault,) = faults_of(value)
    assert (fault.code, fault.setting) == ("value", ISSUERS_PATH)
    assert "issuer URLs without query and fragment" in fault.hint


@pytest.mark.parametrize(
    ("issuer", "entry", "faulty"),
    [
        pytest.param("http://localhost:8001", {}, True, id="http"),
        pytest.param(
            "http://localhost:8001",
            {"JWKS_URI": "http://localhost:8001/keys"},
            True,
            id="http-twice",
        ),
        pytest.param(ISSUER, {"JWKS_URI": "http://id.example/keys"}, True, id="keys"),
        pytest.param(
            "http://localhost:8001",
            {"INSECURE_LOOPBACK_HTTP": True},
            False,
            id="allowed",
        ),
        *(
            pytest.param(issuer, {"INSECURE_LOOPBACK_HTTP": True}, faulty, id=issuer)
            for issuer, faulty in LOOPBACK.items()
        ),
        pytest.param("http://id.example", {"JWKS": JWKS}, False, id="given-keys"),
        pytest.param(
            "http://id.example",
            {"JWKS_URI": "https://id.example/keys"},
            False,
            id="https-keys",
        ),
    ],
)
def test_keys_over_plain_http_are_a_fault_before_the_first_token(
    issuer: str, entry: dict[str, Any], faulty: bool
) -> None:
    value = {"AUTHENTICATION": {"ISSUERS": {issuer: {"AUDIENCE": "api", **entry}}}}
    faults = faults_of(value)
    assert [fault.setting for fault in faults] == (
        [f"{ISSUERS_PATH}[{issuer!r}]['INSECURE_LOOPBACK_HTTP']"] if faulty else []
    )
    assert all("Use https" in fault.hint for fault in faults)


def test_all_faults_are_told_at_once() -> None:
    found = faults_of(
        {
            "PAGES": {},
            "PAGINATION": {"PAGE_SIZE": 0, "MAX_PAGE_SIZE": 0, "SIZE": 1},
            "PROBLEMS": None,
            "AUTHENTICATION": {"ISSUERS": {ISSUER: {}, "x": {}}, "REALM": '"'},
        }
    )
    assert len(found) == 8


def test_a_secret_is_not_shown() -> None:
    with override_settings(DRF_APIKIT={"IDEMPOTENCY": {"ENCRYPTION_KEYS": [PRIVATE]}}):
        (fault,) = apikit_settings.faults()
    assert fault.message == (
        "DRF_APIKIT['IDEMPOTENCY']['ENCRYPTION_KEYS'] is not shown, since it is secret."
    )


def test_a_secret_is_not_shown_of_what_was_read() -> None:
    value = client_settings(client_secret=PRIVATE, private_key=PEM)
    value["LOGIN"] = {"PRIVATE_KEY": PEM}
    value["IDEMPOTENCY"] = {"ENCRYPTION_KEYS": [KEY]}
    with override_settings(DRF_APIKIT=value):
        shown = repr([read(section) for section in SECTIONS])
    assert [text for text in (PRIVATE, "MC4CAQ", "xff") if text in shown] == []


def test_a_long_value_is_shortened() -> None:
    (fault,) = faults_of({"AUTHENTICATION": {"CACHE": ["x" * 1000] * 1000}})
    assert len(fault.message) < 700


def test_other_settings_change_nothing() -> None:
    before = read("PAGINATION")
    with override_settings(USE_TZ=False):
        assert read("PAGINATION") is before


def test_issuers_cannot_be_changed_by_a_reader() -> None:
    with override_settings(DRF_APIKIT=issuer_settings()):
        issuers: Any = apikit_settings.authentication.issuers
        with pytest.raises(TypeError):
            issuers["https://evil.example"] = issuers[ISSUER]


def test_defaults_are_not_shared() -> None:
    one, other = conf.AuthenticationSettings(), conf.AuthenticationSettings()
    assert one.issuers == other.issuers
    assert one.issuers is not other.issuers


def test_every_setting_tells_what_it_is() -> None:
    for section in (*SECTIONS.values(), IssuerSettings):
        for field in dataclasses.fields(section):
            assert field.metadata["doc"].endswith("."), field.name
            assert callable(field.metadata["kind"]), field.name


def test_a_dotted_path_is_loaded() -> None:
    assert conf.load("drf_apikit.conf.load") is conf.load
    with pytest.raises(ImportError):
        conf.load("drf_apikit.conf.nothing")
