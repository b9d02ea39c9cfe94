import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest
from django.test import override_settings

from drf_apikit.jose import KeySet
from drf_apikit.oidc.jwks import LOOK, KeyStore, KeysUnavailableError, begin_anew
from drf_apikit.oidc.renewal import PAUSE, VAIN
from tests.databases import in_threads
from tests.jose.minting import public_jwk
from tests.oidc.caches import Memory
from tests.oidc.provider import (
    DISCOVERY,
    JWKS,
    Clock,
    Provider,
    as_json,
    as_text,
)
from tests.oidc.stores import (
    BOTH,
    LIFETIME,
    STALE,
    kids,
    refusal,
    renewed,
    settled,
    store_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def store(provider: Provider, clock: Clock) -> KeyStore:
    return store_of(provider, clock)


def with_headers(document: Any, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return as_json(document, named)


def test_keys_are_found_by_discovery_and_kept(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    first = store.keys()
    assert kids(first) == ["P-256"]
    for _ in range(LIFETIME - 1):
        clock.now += 1
        assert settled(store).keys() is first
    assert provider.requests == BOTH


def test_keys_are_fetched_from_where_the_settings_say(
    provider: Provider, clock: Clock
) -> None:
    provider.answers["/elsewhere?p=1"] = provider.answers.pop(JWKS)
    store = store_of(provider, clock, JWKS_URI=f"{provider.url}/elsewhere?p=1")
    assert kids(store.keys()) == ["P-256"]
    clock.now += LIFETIME
    assert renewed(store) == ["P-256"]
    assert provider.requests == ["/elsewhere?p=1"] * 2


def test_stale_keys_are_renewed_behind_the_request(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    first = store.keys()
    provider.publish(public_jwk("RSA"))
    clock.now += LIFETIME
    assert store.keys() is first
    assert kids(settled(store).keys()) == ["RSA"]
    assert provider.fetches == 2


def test_keys_that_have_not_changed_stay_the_very_same(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    """What was verified with them need not be verified again."""
    first = store.keys()
    clock.now += LIFETIME
    store.keys()
    assert settled(store).keys() is first
    assert provider.fetches == 2


def test_the_lifetime_is_read_with_each_look(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    with override_settings(DRF_APIKIT={"AUTHENTICATION": {"JWKS_LIFETIME": 60}}):
        clock.now += 60
        renewed(store)
    assert provider.fetches == 2


@pytest.mark.parametrize(
    ("headers", "lifetime"),
    [
        ({"Cache_Control": "public, max-age=120"}, 120),
        ({"Cache_Control": "max-age=1"}, 60),
        ({"Cache_Control": "no-store"}, 60),
        ({"Cache_Control": "max-age=86400"}, LIFETIME),
        ({"Cache_Control": "max-age=300", "Age": "100"}, 200),
        ({"Cache_Control": "public"}, LIFETIME),
    ],
    ids=str,
)
def test_the_answer_may_shorten_the_lifetime(
    provider: Provider,
    store: KeyStore,
    clock: Clock,
    headers: dict[str, str],
    lifetime: int,
) -> None:
    document = {"keys": [public_jwk("P-256")]}
    provider.answers[JWKS] = with_headers(document, **headers)
    store.keys()
    clock.now += lifetime - 1
    renewed(store)
    assert provider.fetches == 1
    clock.now += 1
    renewed(store)
    assert provider.fetches == 2


def test_where_keys_are_is_remembered_for_a_day(
    provider: Provider, store: KeyStore, clock: Clock, settings: Any
) -> None:
    hours = {"JWKS_LIFETIME": 3 * 3600, "FETCH_TIMEOUT": 1}
    settings.DRF_APIKIT = {"AUTHENTICATION": hours}
    store.keys()
    for _ in range(7):
        clock.now += 3 * 3600
        renewed(store)
    assert provider.requests == [DISCOVERY, *[JWKS] * 8]
    clock.now += 3 * 3600
    renewed(store)
    assert provider.requests[-2:] == BOTH


def test_keys_that_have_moved_are_found_anew(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    moved = provider.metadata(jwks_uri=f"{provider.url}/moved")
    provider.answers = {
        DISCOVERY: as_json(moved),
        "/moved": as_json({"keys": [public_jwk("RSA")]}),
    }
    clock.now += LIFETIME
    assert renewed(store) == ["RSA"]
    assert provider.requests == [*BOTH, JWKS, DISCOVERY, "/moved"]


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
        "no object": lambda: provider.answers.update({JWKS: as_json([])}),
        "no key set": lambda: provider.answers.update({JWKS: as_json({"keys": 7})}),
        "other issuer": lambda: provider.move(
            provider.metadata(issuer="https://evil.example")
        ),
        "no jwks_uri": lambda: provider.move(provider.metadata(jwks_uri=None)),
        "keys over http elsewhere": lambda: provider.move(
            provider.metadata(jwks_uri="http://id.example/keys")
        ),
        "keys in a file": lambda: provider.move(
            provider.metadata(jwks_uri="file:///dev/null")
        ),
    }
    ways[name]()


WAYS = [
    "500",
    "404",
    "html",
    "redirect",
    "too big",
    "no object",
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
    for _ in range(PAUSE):
        assert store.keys() is keys
        settled(store)
        clock.now += 1
    # Where they were, and where they are said to be now.
    assert 1 <= len(provider.requests) - before <= 2
    (record,) = caplog.records
    assert record.getMessage().startswith(f"Cannot fetch the keys of {provider.url}")


def test_an_outage_costs_one_attempt_in_a_while(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    provider.fail()
    clock.now += LIFETIME
    for _ in range(600):
        store.keys()
        settled(store)
        clock.now += 1
    # One each time that a look comes after a pause.
    assert provider.fetches - 1 == 600 / (2 * LOOK)


def test_an_outage_of_a_day_is_endured_and_no_longer(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    keys = store.keys()
    fetched_at = clock.now
    provider.fail()
    for hour in range(24):
        clock.now = fetched_at + 3600 * hour
        assert settled(store).keys() is keys
    clock.now = fetched_at + STALE - 1
    assert settled(store).keys() is keys
    settled(store)
    clock.now = fetched_at + STALE
    assert refusal(store).retry_after == PAUSE - 1
    provider.publish(public_jwk("RSA"))
    clock.now += PAUSE
    assert kids(store.keys()) == ["RSA"]


def test_how_long_an_outage_is_endured_is_a_setting(
    provider: Provider, store: KeyStore, clock: Clock, settings: Any
) -> None:
    limits = {"JWKS_LIFETIME": 60, "JWKS_STALE_LIFETIME": 90, "FETCH_TIMEOUT": 1}
    settings.DRF_APIKIT = {"AUTHENTICATION": limits}
    store.keys()
    provider.fail()
    clock.now += 89
    assert kids(settled(store).keys()) == ["P-256"]
    settled(store)
    clock.now += 1
    refusal(store)


def test_keys_are_used_while_they_are_fresh_whatever_the_hard_limit(
    store: KeyStore, clock: Clock, settings: Any
) -> None:
    limits = {"JWKS_LIFETIME": 600, "JWKS_STALE_LIFETIME": 60, "FETCH_TIMEOUT": 1}
    settings.DRF_APIKIT = {"AUTHENTICATION": limits}
    keys = store.keys()
    clock.now += 599
    assert settled(store).keys() is keys


def test_a_rotation_is_seen_at_first_sight(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    assert kids(store.keys()) == ["P-256"]
    provider.publish(public_jwk("RSA"))
    # Although keys have been fetched this very second.
    assert kids(store.refreshed("RSA")) == ["RSA"]
    assert kids(store.keys()) == ["RSA"]
    clock.now += 1
    provider.publish(public_jwk("Ed25519"))
    assert kids(store.refreshed("Ed25519")) == ["Ed25519"]


def test_keys_without_names_are_looked_for_where_there_is_none(
    provider: Provider, store: KeyStore
) -> None:
    provider.publish()
    assert kids(store.keys()) == []
    provider.publish(public_jwk("RSA", kid=None))
    assert kids(store.refreshed(None)) == [None]
    assert kids(store.refreshed(None)) == [None]
    assert provider.fetches == 2


def test_a_flood_of_unknown_kids_costs_few_fetches(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    for number in range(1000):
        assert kids(store.refreshed(f"kid {number}")) == ["P-256"]
        clock.now += 0.059
    assert provider.fetches - 1 == 3
    for number in range(1000):
        store.refreshed(f"another {number}")
        clock.now += 0.06
    assert provider.fetches - 1 == 6


def test_a_flood_during_an_outage_costs_few_fetches(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    keys = store.keys()
    provider.fail()
    for number in range(1000):
        assert store.refreshed(f"kid {number}") is keys
        clock.now += 0.059
    assert provider.fetches - 1 == 3


def test_one_wrong_client_does_not_spend_what_others_need(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    for _ in range(VAIN * 10 - 1):
        assert kids(store.refreshed("wrong")) == ["P-256"]
        clock.now += 0.1
    assert provider.fetches == 2
    provider.publish(public_jwk("RSA"))
    assert kids(store.refreshed("RSA")) == ["RSA"]
    clock.now += 0.2
    store.refreshed("wrong")
    assert provider.fetches == 4


def test_one_wrong_client_does_not_spend_it_in_an_outage_either(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    provider.fail()
    for _ in range(PAUSE * 10 - 1):
        store.refreshed("wrong")
        clock.now += 0.1
    assert provider.fetches == 2
    provider.publish(public_jwk("RSA"))
    assert kids(store.refreshed("RSA")) == ["RSA"]


def test_an_unknown_kid_finds_stale_keys_fetched_without_charge(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    for kid in ("a", "b", "c"):
        store.refreshed(kid)
    assert provider.fetches == 4
    clock.now += LIFETIME
    provider.publish(public_jwk("RSA"))
    assert kids(store.refreshed("RSA")) == ["RSA"]
    store.refreshed("d")
    assert provider.fetches == 6


def test_after_a_failure_an_unknown_kid_is_looked_for_all_the_same(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    provider.fail()
    clock.now += LIFETIME
    renewed(store)
    provider.publish(public_jwk("RSA"))
    assert kids(store.refreshed("RSA")) == ["RSA"]


def test_a_cold_stampede_is_one_fetch(provider: Provider, store: KeyStore) -> None:
    together = threading.Barrier(20, timeout=10)

    def call() -> KeySet:
        together.wait()
        return store.keys()

    found = in_threads(*[call] * 20)
    assert provider.requests == BOTH
    assert len(set(map(id, found))) == 1


def test_a_stampede_at_a_rotation_is_one_fetch_and_nobody_is_refused(
    provider: Provider, store: KeyStore, settings: Any
) -> None:
    # On a machine that is busy with other things a second may be too short.
    settings.DRF_APIKIT = {"AUTHENTICATION": {"FETCH_TIMEOUT": 30}}
    store.keys()
    provider.publish(public_jwk("RSA"))
    together = threading.Barrier(8, timeout=10)

    def call() -> list[str | None]:
        together.wait()
        return kids(store.refreshed("RSA"))

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


def test_behind_a_provider_that_hangs_no_request_waits(
    provider: Provider, clock: Clock, settings: Any
) -> None:
    settings.DRF_APIKIT = {"AUTHENTICATION": {"FETCH_TIMEOUT": 10}}
    store = store_of(provider, clock)
    keys = store.keys()
    clock.now += LIFETIME
    provider.publish(public_jwk("RSA"))
    with held(provider) as asked:
        assert store.keys() is keys
        assert asked.wait(10)
        # Also those that find something due.
        for _ in range(100):
            assert store.keys() is keys
            clock.now += LOOK
        assert not store.settle(0)
    assert kids(settled(store).keys()) == ["RSA"]


def test_cold_behind_a_provider_that_hangs_nobody_waits_for_long(
    provider: Provider, store: KeyStore
) -> None:
    with held(provider):
        began = time.monotonic()
        calls = [lambda: refusal(store)] * 2
        for error in in_threads(*calls):
            assert error.retry_after in {1, PAUSE}
        assert time.monotonic() - began < 5
        assert refusal(settled(store)).retry_after == PAUSE
        assert provider.fetches == 1


def test_behind_a_fetch_that_does_not_end_the_others_are_told_to_retry(
    provider: Provider, clock: Clock
) -> None:
    """The fetch has more patience than the one that waits for it."""
    store = store_of(provider, clock)
    with held(provider) as asked:
        long = {"AUTHENTICATION": {"FETCH_TIMEOUT": 30}}
        with override_settings(DRF_APIKIT=long):
            fetching = threading.Thread(target=store.keys)
            fetching.start()
            assert asked.wait(10)
        error = refusal(store)
        assert (str(error), error.retry_after) == ("the fetch takes too long", 1)
    fetching.join()
    assert kids(store.keys()) == ["P-256"]


def test_an_unknown_kid_behind_a_provider_that_hangs_waits_no_longer(
    provider: Provider, store: KeyStore
) -> None:
    store.keys()
    with held(provider):
        # Whoever comes later waits no longer behind the same fetch.
        for _ in range(3):
            with pytest.raises(KeysUnavailableError, match="takes too long") as told:
                store.refreshed("RSA")
            assert told.value.retry_after == 1
            assert kids(store.keys()) == ["P-256"]
    settled(store)


def test_after_a_quiet_weekend_nobody_is_refused(
    provider: Provider, store: KeyStore, clock: Clock
) -> None:
    store.keys()
    clock.now += STALE + 1
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
    store.refreshed("x")
    provider.publish(public_jwk("RSA"))
    clock.now -= 30 * 24 * 3600
    assert kids(store.keys()) == ["RSA"]
    provider.publish(public_jwk("Ed25519"))
    assert kids(store.refreshed("Ed25519")) == ["Ed25519"]


def test_a_forked_process_goes_on_with_what_is_known_and_looks_at_once(
    store: KeyStore, shared: Memory
) -> None:
    keys = store.keys()
    assert settled(store).keys() is keys
    shared.calls.clear()
    begin_anew()
    assert store.keys() is keys
    settled(store)
    assert shared.calls == ["get"]


def test_that_no_key_is_left_is_in_the_log(
    provider: Provider, store: KeyStore, caplog: pytest.LogCaptureFixture
) -> None:
    """It is what the issuer says, so no key of before is good any more."""
    store.keys()
    provider.publish()
    assert kids(store.refreshed("RSA")) == []
    settled(store)
    assert caplog.messages == [f"{provider.url} has no usable key: no token is good"]


def test_a_dropped_key_is_in_the_log_once(
    provider: Provider,
    store: KeyStore,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    secret = public_jwk("P-256", d="c2VjcmV0")
    provider.publish(public_jwk("P-256"), secret)
    assert kids(store.keys()) == ["P-256"]
    clock.now += LIFETIME
    renewed(store)
    assert [record.getMessage() for record in caplog.records] == [
        f"Left out a key of {provider.url}: keys[1]: a secret or private key"
    ]
    assert "c2VjcmV0" not in caplog.text
