import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest
from django.test import override_settings

from drf_apikit.jose import KeySet
from drf_apikit.oidc.jwks import HARD_LIMIT, PAUSE, KeyStore, KeysUnavailableError
from tests.databases import in_threads
from tests.jose.minting import public_jwk
from tests.oidc.provider import (
    DISCOVERY,
    JWKS,
    Clock,
    Provider,
    as_json,
    as_text,
)
from tests.oidc.stores import BOTH, LIFETIME, kids, refusal, store_of

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def store(provider: Provider, clock: Clock) -> KeyStore:
    return store_of(provider, clock)


def test_keys_are_found_by_discovery_and_kept(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    assert kids(store.keys()) == ["P-256"]
    first = store.keys()
    clock.now += LIFETIME - 1
    assert store.keys() is first
    assert provider.requests == BOTH


def test_keys_are_fetched_from_where_the_settings_say(
    provider: Provider, clock: Clock
) -> None:
    provider.answers["/elsewhere?p=1"] = provider.answers.pop(JWKS)
    store = store_of(provider, clock, JWKS_URI=f"{provider.url}/elsewhere?p=1")
    assert kids(store.keys()) == ["P-256"]
    assert provider.requests == ["/elsewhere?p=1"]


def test_stale_keys_are_renewed(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    provider.publish(public_jwk("RSA"))
    clock.now += LIFETIME
    assert kids(store.keys()) == ["RSA"]
    assert provider.fetches == 2


def test_the_lifetime_is_read_at_call_time(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    clock.now += 60
    store.keys()
    assert provider.fetches == 1
    with override_settings(DRF_APIKIT={"AUTHENTICATION": {"JWKS_LIFETIME": 60}}):
        store.keys()
    assert provider.fetches == 2


def break_by(name: str, provider: Provider) -> None:
    """Put the provider out of order in one of many ways."""
    many = {"keys": [public_jwk("P-256")] * 5000}
    ways: dict[str, Callable[[], object]] = {
        "500": provider.fail,
        "404": lambda: provider.fail(404),
        "html": lambda: provider.answers.update({JWKS: as_text(200, "<html>")}),
        "redirect": lambda: provider.answers.update(
            {JWKS: as_text(302, "", {"Location": f"{provider.url}/good"})}
        ),
        "too big": lambda: provider.answers.update({JWKS: as_json(many)}),
        "no key set": lambda: provider.answers.update({JWKS: as_json([])}),
        "other issuer": lambda: provider.answers.update(
            {DISCOVERY: as_json(provider.metadata(issuer="https://evil.example"))}
        ),
        "no jwks_uri": lambda: provider.answers.update(
            {DISCOVERY: as_json(provider.metadata(jwks_uri=None))}
        ),
        "keys over http elsewhere": lambda: provider.answers.update(
            {DISCOVERY: as_json(provider.metadata(jwks_uri="http://id.example/keys"))}
        ),
        "keys in a file": lambda: provider.answers.update(
            {DISCOVERY: as_json(provider.metadata(jwks_uri="file:///dev/null"))}
        ),
    }
    ways[name]()


WAYS = [
    "500",
    "404",
    "html",
    "redirect",
    "too big",
    "no key set",
    "other issuer",
    "no jwks_uri",
    "keys over http elsewhere",
    "keys in a file",
]


@pytest.mark.parametrize("way", WAYS)
def test_cold_and_out_of_order_there_are_no_keys(
    provider: Provider, store: KeyStore, clock: Clock, way: str
) -> None:
    provider.answers["/good"] = provider.answers[JWKS]
    break_by(way, provider)
    error = refusal(store)
    assert (error.issuer, error.retry_after) == (provider.url, PAUSE)
    asked = list(provider.requests)
    assert "/good" not in asked
    clock.now += PAUSE - 7
    assert refusal(store).retry_after == 7
    clock.now += 6.9
    assert refusal(store).retry_after == 1
    assert provider.requests == asked
    provider.publish(public_jwk("P-256"))
    clock.now += 0.1
    assert kids(store.keys()) == ["P-256"]


@pytest.mark.parametrize("way", WAYS)
def test_warm_and_out_of_order_the_old_keys_go_on(
    provider: Provider,
    store: KeyStore,
    clock: Clock,
    way: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    keys = store.keys()
    break_by(way, provider)
    before = len(provider.requests)
    clock.now += LIFETIME
    for _ in range(20):
        assert store.keys() is keys
        clock.now += 1
    attempts = len(provider.requests) - before
    assert attempts <= 2
    (record,) = caplog.records
    assert record.getMessage().startswith(f"Cannot fetch the keys of {provider.url}")


def test_an_outage_of_a_day_is_endured_and_no_longer(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    keys = store.keys()
    fetched_at = clock.now
    provider.fail()
    for hour in range(24):
        clock.now = fetched_at + 3600 * hour
        assert store.keys() is keys
    clock.now = fetched_at + HARD_LIMIT - 1
    assert store.keys() is keys
    clock.now = fetched_at + HARD_LIMIT
    assert refusal(store).retry_after == PAUSE - 1
    provider.publish(public_jwk("RSA"))
    clock.now += PAUSE
    assert kids(store.keys()) == ["RSA"]


def test_a_rotation_is_seen_at_first_sight(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    assert kids(store.keys()) == ["P-256"]
    provider.publish(public_jwk("RSA"))
    # Although keys have been fetched this very second.
    assert kids(store.refreshed()) == ["RSA"]
    assert kids(store.keys()) == ["RSA"]
    clock.now += PAUSE
    provider.publish(public_jwk("Ed25519"))
    assert kids(store.refreshed()) == ["Ed25519"]


def test_a_flood_of_unknown_kids_costs_few_fetches(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    for _ in range(1000):
        assert kids(store.refreshed()) == ["P-256"]
        clock.now += 0.06
    # One for each pause of the minute.
    assert provider.fetches - 1 == 60 / PAUSE


def test_a_flood_during_an_outage_costs_few_fetches(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    keys = store.keys()
    provider.fail()
    before = len(provider.requests)
    for _ in range(1000):
        assert store.refreshed() is keys
        clock.now += 0.06
    assert len(provider.requests) - before == 60 / PAUSE


def test_an_unknown_kid_does_not_make_old_keys_young(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    provider.fail()
    clock.now += LIFETIME
    store.refreshed()
    provider.publish(public_jwk("RSA"))
    assert kids(store.keys()) == ["RSA"]


def test_a_cold_stampede_is_one_fetch(provider: Provider, store: KeyStore) -> None:
    together = threading.Barrier(20, timeout=10)

    def call() -> KeySet:
        together.wait()
        return store.keys()

    found = in_threads(*[call] * 20)
    assert provider.requests == BOTH
    assert len(set(map(id, found))) == 1


def test_a_stampede_at_a_rotation_is_one_fetch_and_nobody_is_refused(
    provider: Provider, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a machine that is busy with other things a moment may be too short.
    monkeypatch.setattr("drf_apikit.oidc.jwks.PATIENCE", 30)
    store.keys()
    provider.publish(public_jwk("RSA"))
    together = threading.Barrier(8, timeout=10)

    def call() -> list[str | None]:
        together.wait()
        return kids(store.refreshed())

    assert in_threads(*[call] * 8) == [["RSA"]] * 8
    assert provider.fetches == 2


@contextmanager
def held(provider: Provider) -> Iterator[threading.Event]:
    """Hold the answer with the keys back; the event says that it was asked for."""
    asked, let_go = threading.Event(), threading.Event()
    good = provider.answers[JWKS]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.set()
        let_go.wait(30)
        good(handler)

    provider.answers[JWKS] = answer
    try:
        yield asked
    finally:
        let_go.set()


def test_while_one_fetches_the_others_go_on_with_stale_keys(
    provider: Provider, clock: Clock, settings: Any
) -> None:
    settings.DRF_APIKIT = {"AUTHENTICATION": {"FETCH_TIMEOUT": 10}}
    store = store_of(provider, clock)
    keys = store.keys()
    clock.now += LIFETIME
    with held(provider) as asked:
        fetching = threading.Thread(target=store.keys)
        fetching.start()
        assert asked.wait(10)
        assert all(store.keys() is keys for _ in range(100))
    fetching.join()
    assert store.keys() is not keys
    assert provider.fetches == 2


def test_cold_behind_a_provider_that_hangs_nobody_waits_for_long(
    provider: Provider, store: KeyStore
) -> None:
    """The one that fetches gives up, and the one that waits does not try again."""
    with held(provider):
        calls = [lambda: refusal(store)] * 2
        assert {error.retry_after for error in in_threads(*calls)} == {PAUSE}
        assert provider.fetches == 1


def test_behind_a_fetch_that_does_not_end_the_others_are_told_to_retry(
    provider: Provider, clock: Clock
) -> None:
    """The fetch has more patience than the one that waits for it."""
    long = {"AUTHENTICATION": {"FETCH_TIMEOUT": 30}}
    store = store_of(provider, clock)
    with held(provider) as asked:
        with override_settings(DRF_APIKIT=long):
            fetching = threading.Thread(target=store.keys)
            fetching.start()
            assert asked.wait(10)
        with pytest.raises(KeysUnavailableError, match="another thread is fetching"):
            store.keys()
    fetching.join()
    assert kids(store.keys()) == ["P-256"]


def test_after_a_quiet_weekend_nobody_is_refused(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    clock.now += HARD_LIMIT + 1
    together = threading.Barrier(8, timeout=10)

    def call() -> list[str | None]:
        together.wait()
        return kids(store.keys())

    assert in_threads(*[call] * 8) == [["P-256"]] * 8
    assert provider.fetches == 2


def test_a_clock_that_is_set_back_does_not_freeze_the_keys(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    store.refreshed()
    provider.publish(public_jwk("RSA"))
    clock.now -= 30 * 24 * 3600
    assert kids(store.keys()) == ["RSA"]
    provider.publish(public_jwk("Ed25519"))
    assert kids(store.refreshed()) == ["Ed25519"]


def test_a_dropped_key_is_in_the_log(
    provider: Provider, store: KeyStore, caplog: pytest.LogCaptureFixture
) -> None:
    secret = public_jwk("P-256", d="c2VjcmV0")
    provider.publish(public_jwk("P-256"), secret)
    assert kids(store.keys()) == ["P-256"]
    assert [record.getMessage() for record in caplog.records] == [
        f"Left out a key of {provider.url}: keys[1]: a secret or private key"
    ]
    assert "c2VjcmV0" not in caplog.text
