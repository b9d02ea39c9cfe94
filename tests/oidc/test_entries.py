import json
from typing import Any

import pytest
from pytest_django import Settings

from drf_apikit.conf import IssuerSettings
from drf_apikit.jose import parse_key_set
from drf_apikit.oidc.entries import SKEW, Entry, fetch_entry, load_entry
from drf_apikit.oidc.transport import Reply
from tests.jose.minting import public_jwk

NOW = 1_800_000_000.0
DOCUMENT = {"keys": [public_jwk("P-256")]}
MEMBERS = {
    "fetched_at": NOW,
    "max_age": None,
    "jwks_uri": "https://id.example/keys",
    "discovered_at": NOW - 5,
    "document": DOCUMENT,
}


def entry(**members: Any) -> Entry:
    return load_entry(json.dumps({**MEMBERS, **members}), NOW)


def test_what_is_written_can_be_read() -> None:
    written = entry(max_age=70)
    again = load_entry(written.dump(), NOW)
    assert again.document == DOCUMENT
    assert again == Entry(
        parse_key_set(DOCUMENT), DOCUMENT, NOW, "https://id.example/keys", NOW - 5, 70
    ).like(again)


@pytest.mark.parametrize(
    ("max_age", "lifetime"),
    [(None, 600), (0, 60), (59, 60), (61, 61), (600, 600), (10_000, 600)],
)
def test_what_is_said_about_freshness_only_shortens_it(
    max_age: int | None, lifetime: int
) -> None:
    assert entry(max_age=max_age).fresh_until == NOW + lifetime


def test_ages(settings: Settings) -> None:
    limits = {"JWKS_LIFETIME": 100, "JWKS_STALE_LIFETIME": 200}
    settings.DRF_APIKIT = {"AUTHENTICATION": limits}
    one = entry()
    ages = (-SKEW - 1, -SKEW, 0, 99, 100, 199, 200)
    fresh = [one.is_fresh(NOW + age) for age in ages]
    usable = [one.is_usable(NOW + age) for age in ages]
    assert fresh == [False, True, True, True, False, False, False]
    assert usable == [False, True, True, True, True, True, False]


def test_the_same_keys_are_the_very_same_object() -> None:
    one, other = entry(), entry(fetched_at=NOW + 1)
    assert other.like(one).keys is one.keys
    assert other.like(one).fetched_at == NOW + 1
    assert other.like(None) is other
    different = entry(document={"keys": []})
    assert different.like(one) is different


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        '"x"',
        "{}",
        "[" * 100_000,
        json.dumps({**MEMBERS, "document": None}),
        json.dumps({**MEMBERS, "document": {"keys": 7}}),
        pytest.param(json.dumps({**MEMBERS, "fetched_at": None}), id="never"),
        pytest.param(json.dumps({**MEMBERS, "fetched_at": True}), id="true"),
        pytest.param(json.dumps({**MEMBERS, "fetched_at": "1"}), id="text"),
        pytest.param(json.dumps({**MEMBERS, "fetched_at": float("nan")}), id="nan"),
        pytest.param(json.dumps({**MEMBERS, "fetched_at": float("inf")}), id="inf"),
        pytest.param(json.dumps({**MEMBERS, "fetched_at": 10**400}), id="huge"),
        pytest.param(json.dumps({**MEMBERS, "fetched_at": 1e308}), id="far"),
        pytest.param(json.dumps({**MEMBERS, "fetched_at": NOW + SKEW + 1}), id="ahead"),
        pytest.param(json.dumps({**MEMBERS, "max_age": "1"}), id="max_age"),
        pytest.param(json.dumps({**MEMBERS, "discovered_at": []}), id="discovered_at"),
        pytest.param(json.dumps([NOW, DOCUMENT]), id="array"),
    ],
    ids=lambda text: text[-30:],
)
def test_rubbish_is_no_entry(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        load_entry(text, NOW)


#: The proxies with which the transport below was called.
PROXIES: list[Any] = []


def noting(_method: str, _url: str, **options: Any) -> Reply:
    """Be a transport that remembers."""
    PROXIES.append(options["proxies"])
    return Reply(200, {}, json.dumps(DOCUMENT).encode())


@pytest.mark.parametrize("proxies", [None, {"https": "http://proxy.example:3128"}])
def test_keys_come_through_the_proxies_of_the_settings(
    settings: Settings, proxies: Any
) -> None:
    path = f"{__name__}.{noting.__name__}"
    settings.DRF_APIKIT = {"AUTHENTICATION": {"TRANSPORT": path, "PROXIES": proxies}}
    PROXIES.clear()
    where = IssuerSettings(jwks_uri="https://id.example/keys")
    found = fetch_entry("https://id.example", where, None, NOW)
    assert found.document == DOCUMENT
    assert [proxies] == PROXIES
