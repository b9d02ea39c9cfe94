"""Processes with one cache, which is here a store each."""

import json
import threading
import time
from itertools import pairwise
from typing import Any

import pytest
from django.core.cache import cache

from drf_apikit.oidc.entries import SKEW
from drf_apikit.oidc.jwks import LOOK, KeyStore, KeysUnavailableError
from drf_apikit.oidc.renewal import PAUSE
from drf_apikit.oidc.sharing import SLOTS, WINDOW
from tests.databases import in_threads
from tests.jose.minting import public_jwk
from tests.oidc.caches import MEMORY, Memory
from tests.oidc.provider import Clock, Provider, as_json, serving
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


def started(provider: Provider, clock: Clock) -> KeyStore:
    """Make a process that has keys, and shares them."""
    store = store_of(provider, clock)
    store.keys()
    return settled(store)


def fleet_of(provider: Provider, clock: Clock, size: int = 4) -> list[KeyStore]:
    """Make processes that have keys."""
    return [started(provider, clock) for _ in range(size)]


def entry_in_the_cache() -> tuple[str, Any]:
    """Give the name and the content of what is shared."""
    (name,) = (name for name in MEMORY.values if name.count(":") == 5)
    return name, json.loads(MEMORY.values[name][0])


def share(text: Any) -> None:
    """Put something in the place of what is shared."""
    name, _ = entry_in_the_cache()
    MEMORY.values[name] = (text, float("inf"))


@pytest.mark.usefixtures("shared")
def test_a_second_process_fetches_nothing(provider: Provider, clock: Clock) -> None:
    assert kids(started(provider, clock).keys()) == ["P-256"]
    clock.now += LIFETIME - 1
    assert kids(store_of(provider, clock).keys()) == ["P-256"]
    assert provider.requests == BOTH


@pytest.mark.usefixtures("redis_cache", "patient")
def test_processes_share_through_redis(provider: Provider, clock: Clock) -> None:
    stores = fleet_of(provider, clock)
    assert provider.requests == BOTH
    clock.now += LIFETIME
    provider.publish(public_jwk("RSA"))
    assert [renewed(store) for store in stores] == [["RSA"]] * 4
    assert provider.fetches == 2
    for number in range(10):
        for store in stores:
            store.refreshed(f"{number}")
    assert provider.fetches == 2 + SLOTS
    redis: Any = cache
    lives = {name: redis.ttl(name) for name in redis.keys("*")}
    assert sorted(name.count(":") for name in lives) == [3, 5, 5, 5]
    assert all(0 < life <= STALE for life in lives.values())


@pytest.mark.usefixtures("shared")
def test_one_fetch_for_each_lifetime_whatever_the_number_of_processes(
    provider: Provider, clock: Clock
) -> None:
    stores = fleet_of(provider, clock)
    for _ in range(2 * LIFETIME // LOOK):
        clock.now += LOOK
        for store in stores:
            store.keys()
            settled(store)
    assert provider.fetches == 1 + 2


@pytest.mark.usefixtures("shared")
def test_a_rotation_is_fetched_once_for_all_processes(
    provider: Provider, clock: Clock
) -> None:
    stores = fleet_of(provider, clock)
    clock.now += 100
    provider.publish(public_jwk("RSA"))
    assert [kids(store.refreshed("RSA")) for store in stores] == [["RSA"]] * 4
    assert provider.fetches == 2


@pytest.mark.usefixtures("shared")
def test_a_rotation_reaches_all_without_an_unknown_kid(
    provider: Provider, clock: Clock
) -> None:
    """A key that was withdrawn is not trusted for longer than a look takes."""
    one, *others = fleet_of(provider, clock)
    provider.publish(public_jwk("RSA"))
    one.refreshed("RSA")
    clock.now += LOOK
    assert [renewed(store) for store in others] == [["RSA"]] * 3
    assert provider.fetches == 2


@pytest.mark.usefixtures("shared")
def test_a_second_rotation_is_seen_although_another_process_saw_the_first(
    provider: Provider, clock: Clock
) -> None:
    one, other = fleet_of(provider, clock, 2)
    clock.now += 100
    provider.publish(public_jwk("RSA"))
    one.refreshed("RSA")
    clock.now += 100
    provider.publish(public_jwk("Ed25519"))
    assert kids(other.refreshed("Ed25519")) == ["Ed25519"]


@pytest.mark.usefixtures("shared")
def test_a_flood_costs_the_fleet_no_more_than_a_process(
    provider: Provider, clock: Clock
) -> None:
    stores = fleet_of(provider, clock)
    for number in range(WINDOW * 10 - 1):
        stores[number % 4].refreshed(f"kid {number}")
        clock.now += 0.1
    assert provider.fetches - 1 == SLOTS
    settled(stores[0])
    provider.publish(public_jwk("RSA"))
    clock.now += 1
    assert [kids(store.refreshed("RSA")) for store in stores] == [["RSA"]] * 4


def test_a_flood_asks_the_cache_about_once_a_second(
    provider: Provider, clock: Clock, shared: Memory
) -> None:
    store = store_of(provider, clock)
    store.keys()
    for number in range(SLOTS + 1):
        store.refreshed(f"before {number}")
    settled(store)
    shared.calls.clear()
    for number in range(600):
        store.refreshed(f"kid {number}")
        clock.now += 0.01
    settled(store)
    assert shared.calls.count("get") == len(shared.calls) <= 7


@pytest.mark.usefixtures("shared")
def test_what_is_unknown_to_all_is_looked_for_once(
    provider: Provider, clock: Clock
) -> None:
    """Others wait for the one that fetches, and believe it."""
    stores = fleet_of(provider, clock)
    together = threading.Barrier(4, timeout=10)

    def answer(handler: Any) -> None:
        # All of them are waiting by now, or are about to.
        clock.now += 0.1
        as_json({"keys": [public_jwk("P-256")]})(handler)

    def call(store: KeyStore) -> list[str | None]:
        together.wait()
        return kids(store.refreshed("wrong"))

    provider.answers["/keys"] = answer
    found = in_threads(*[lambda store=store: call(store) for store in stores])
    assert found == [["P-256"]] * 4
    assert 1 <= provider.fetches - 1 <= SLOTS


@pytest.mark.usefixtures("shared")
def test_an_outage_costs_one_attempt_in_a_while_for_all(
    provider: Provider, clock: Clock
) -> None:
    stores = fleet_of(provider, clock)
    provider.fail()
    clock.now += LIFETIME
    attempts = []
    for second in range(300):
        for store in stores:
            before = provider.fetches
            assert kids(store.keys()) == ["P-256"]
            settled(store)
            attempts += [second] * (provider.fetches - before)
        clock.now += 1
    pauses = [two - one for one, two in pairwise(attempts)]
    assert min(pauses) >= PAUSE
    assert len(attempts) >= 300 / (PAUSE + LOOK)


@pytest.mark.usefixtures("shared")
def test_cold_in_an_outage_all_are_told_when_the_next_attempt_is_due(
    provider: Provider, clock: Clock
) -> None:
    provider.fail()
    stores = [store_of(provider, clock) for _ in range(4)]
    assert refusal(stores[0]).retry_after == PAUSE
    clock.now += 5
    for store in stores:
        began = time.monotonic()
        assert refusal(store).retry_after == PAUSE - 5
        # Nobody waits for a fetch that has failed.
        assert time.monotonic() - began < 3
    assert len(provider.requests) == 1
    provider.publish(public_jwk("RSA"))
    clock.now += PAUSE - 5
    assert [kids(store.keys()) for store in stores] == [["RSA"]] * 4
    assert provider.fetches == 1


@pytest.mark.usefixtures("shared")
def test_a_process_that_starts_in_an_outage_uses_the_stale_keys_of_the_others(
    provider: Provider, clock: Clock
) -> None:
    started(provider, clock)
    provider.fail()
    clock.now += STALE - 1
    assert kids(started(provider, clock).keys()) == ["P-256"]
    clock.now += 1
    refusal(store_of(provider, clock))


@pytest.mark.usefixtures("shared")
def test_in_the_pause_keys_that_another_has_got_are_found(
    provider: Provider, clock: Clock
) -> None:
    provider.fail()
    cold, other = (store_of(provider, clock) for _ in range(2))
    refusal(cold)
    provider.publish(public_jwk("RSA"))
    other.fetch()
    # It has only just looked.
    refusal(cold)
    clock.now += 1
    assert kids(cold.keys()) == ["RSA"]
    assert provider.fetches == 1


@pytest.mark.usefixtures("shared")
def test_a_cold_fleet_is_one_fetch(
    provider: Provider, clock: Clock, settings: Any
) -> None:
    settings.DRF_APIKIT = {"AUTHENTICATION": {"FETCH_TIMEOUT": 20}}
    stores = [store_of(provider, clock) for _ in range(6)]
    together = threading.Barrier(6, timeout=10)

    def call(store: KeyStore) -> list[str | None]:
        together.wait()
        return kids(store.keys())

    found = in_threads(*[lambda store=store: call(store) for store in stores])
    assert found == [["P-256"]] * 6
    assert provider.requests == BOTH


def test_an_owner_of_the_lock_that_dies_blocks_nobody_for_long(
    provider: Provider, clock: Clock, hasty: Memory
) -> None:
    started(provider, clock)
    (name, _) = entry_in_the_cache()
    taken_lock(clock, hasty)
    del hasty.values[name]
    store = store_of(provider, clock)
    # It has waited for the other one as long as the request has.
    assert refusal(store).retry_after in {1, PAUSE}
    error = refusal(settled(store))
    assert str(error) == "another process fetches them"
    assert error.retry_after == PAUSE
    clock.now += PAUSE
    assert kids(store.keys()) == ["P-256"]


def taken_lock(clock: Clock, shared: Memory) -> None:
    """Let another process have the lock."""
    (name, _) = entry_in_the_cache()
    lock = f"busy:{float(clock.now + PAUSE)!r}:{'0' * 16}"
    shared.values[f"{name}:lock"] = (lock, clock.now + PAUSE)


def test_with_stale_keys_nobody_waits_for_the_one_that_fetches(
    provider: Provider, clock: Clock, shared: Memory
) -> None:
    store = started(provider, clock)
    clock.now += LIFETIME
    taken_lock(clock, shared)
    shared.calls.clear()
    assert renewed(store) == ["P-256"]
    assert shared.calls.count("add") == 1
    clock.now += PAUSE
    assert renewed(store) == ["P-256"]
    assert provider.fetches == 2


def test_an_unknown_kid_does_not_wait_for_ever_for_the_one_that_fetches(
    provider: Provider, clock: Clock, hasty: Memory
) -> None:
    store = started(provider, clock)
    provider.publish(public_jwk("RSA"))
    taken_lock(clock, hasty)
    with pytest.raises(KeysUnavailableError, match="takes too long"):
        store.refreshed("RSA")
    assert kids(store.keys()) == ["P-256"]
    settled(store)
    # It is not said to be unknown, and nothing was charged.
    clock.now += PAUSE
    assert kids(store.refreshed("RSA")) == ["RSA"]
    assert not hasty.named(":slot:1")


def test_a_cold_process_waits_for_the_one_that_fetches(
    provider: Provider, clock: Clock, shared: Memory, settings: Any
) -> None:
    settings.DRF_APIKIT = {"AUTHENTICATION": {"FETCH_TIMEOUT": 20}}
    started(provider, clock)
    taken_lock(clock, shared)
    name, _ = entry_in_the_cache()
    keys = shared.values.pop(name)
    looks: list[str] = []

    def let_the_other_one_end(call: str) -> None:
        looks.append(call)
        if looks.count("add") == 2:
            shared.values[name] = keys

    shared.before = let_the_other_one_end
    assert kids(store_of(provider, clock).keys()) == ["P-256"]
    assert provider.fetches == 1


@pytest.mark.usefixtures("shared")
def test_issuers_do_not_share_keys(provider: Provider, clock: Clock) -> None:
    store_of(provider, clock).keys()
    with serving() as second:
        second.publish(public_jwk("RSA"))
        assert kids(store_of(second, clock).keys()) == ["RSA"]
    elsewhere = {"JWKS_URI": f"{provider.url}/other"}
    provider.answers["/other"] = as_json({"keys": [public_jwk("Ed25519")]})
    assert kids(store_of(provider, clock, **elsewhere).keys()) == ["Ed25519"]


@pytest.mark.usefixtures("shared")
def test_only_public_documents_are_in_the_cache(
    provider: Provider, clock: Clock
) -> None:
    started(provider, clock)
    _, shared = entry_in_the_cache()
    assert shared == {
        "fetched_at": clock.now,
        "max_age": None,
        "jwks_uri": f"{provider.url}/keys",
        "discovered_at": clock.now,
        "document": {"keys": [public_jwk("P-256")]},
    }


@pytest.mark.usefixtures("shared")
def test_where_keys_are_is_shared_too(provider: Provider, clock: Clock) -> None:
    for store in fleet_of(provider, clock):
        clock.now += LIFETIME
        renewed(store)
    assert provider.requests == [*BOTH, *["/keys"] * 4]


@pytest.mark.usefixtures("shared")
def test_rubbish_in_the_cache_is_no_error(
    provider: Provider, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    started(provider, clock)
    share("{")
    store = store_of(provider, clock)
    assert kids(store.keys()) == ["P-256"]
    settled(store)
    assert "Shared keys cannot be read" in caplog.text
    assert provider.fetches == 2
    # It was written anew.
    assert entry_in_the_cache()[1]["fetched_at"] == clock.now


@pytest.mark.usefixtures("shared")
def test_clocks_may_differ_a_little(provider: Provider, clock: Clock) -> None:
    fast = Clock(clock.now + SKEW)
    started(provider, fast)
    assert kids(store_of(provider, clock).keys()) == ["P-256"]
    assert provider.fetches == 1


@pytest.mark.usefixtures("shared")
def test_keys_from_the_future_do_not_stay(provider: Provider, clock: Clock) -> None:
    fast = Clock(clock.now + SKEW + 1)
    provider.publish(public_jwk("RSA"))
    started(provider, fast)
    provider.publish(public_jwk("P-256"))
    assert kids(store_of(provider, clock).keys()) == ["P-256"]


@pytest.mark.usefixtures("shared")
def test_older_keys_do_not_replace_younger_ones(
    provider: Provider, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store = started(provider, clock)
    _, former = entry_in_the_cache()
    clock.now += 100
    provider.publish(public_jwk("RSA"))
    store.refreshed("RSA")
    settled(store)
    share(json.dumps(former))
    clock.now += LOOK
    assert renewed(store) == ["RSA"]
    assert not caplog.records


@pytest.mark.usefixtures("shared")
def test_a_fetch_by_command_asks_the_issuer_where_the_keys_are(
    provider: Provider, clock: Clock
) -> None:
    """Whoever could write to the cache has sent all processes elsewhere."""
    one, other = fleet_of(provider, clock, 2)
    provider.answers["/evil"] = as_json({"keys": [public_jwk("RSA")]})
    _, members = entry_in_the_cache()
    clock.now += LOOK
    members.update(
        fetched_at=clock.now + SKEW,
        discovered_at=clock.now,
        jwks_uri=f"{provider.url}/evil",
        document={"keys": [public_jwk("RSA")]},
    )
    share(json.dumps(members))
    assert [renewed(store) for store in (one, other)] == [["RSA"]] * 2
    found = one.fetch()
    assert (found.jwks_uri, kids(found.keys)) == (f"{provider.url}/keys", ["P-256"])
    clock.now += LOOK
    assert renewed(other) == ["P-256"]
    assert "/evil" not in provider.requests


@pytest.mark.usefixtures("shared")
def test_a_slow_clock_has_its_say(provider: Provider, clock: Clock) -> None:
    """What it fetches last is believed by one that is ahead."""
    fast = Clock(clock.now + SKEW - 5)
    ahead, behind = started(provider, fast), started(provider, clock)
    provider.publish(public_jwk("RSA"))
    clock.now += 1
    behind.fetch()
    fast.now += LOOK
    assert renewed(ahead) == ["RSA"]
