import json
from collections.abc import Mapping
from typing import Any

import pytest
from django.core.cache import cache
from django.test import override_settings

from drf_apikit.oidc.jwks import HARD_LIMIT
from tests.jose.minting import public_jwk
from tests.oidc.provider import Clock, Provider, as_json, serving
from tests.oidc.stores import BOTH, LIFETIME, kids, refusal, store_of


def names_in_the_cache() -> list[str]:
    redis: Any = cache
    return list(redis.keys("*"))


@pytest.mark.usefixtures("redis_cache")
def test_a_second_process_fetches_nothing(provider: Provider, clock: Clock) -> None:
    assert kids(store_of(provider, clock).keys()) == ["P-256"]
    clock.now += LIFETIME - 1
    assert kids(store_of(provider, clock).keys()) == ["P-256"]
    assert provider.requests == BOTH


@pytest.mark.usefixtures("redis_cache")
def test_a_process_renews_from_the_cache(provider: Provider, clock: Clock) -> None:
    one, other = store_of(provider, clock), store_of(provider, clock)
    one.keys()
    other.keys()
    provider.publish(public_jwk("RSA"))
    clock.now += LIFETIME
    assert kids(one.keys()) == ["RSA"]
    assert kids(other.keys()) == ["RSA"]
    assert provider.fetches == 2


@pytest.mark.usefixtures("redis_cache")
def test_a_rotation_is_fetched_once_for_all_processes(
    provider: Provider, clock: Clock
) -> None:
    stores = [store_of(provider, clock) for _ in range(4)]
    for store in stores:
        store.keys()
    clock.now += 100
    provider.publish(public_jwk("RSA"))
    for store in stores:
        assert kids(store.refreshed()) == ["RSA"]
    assert provider.fetches == 2


@pytest.mark.usefixtures("redis_cache")
def test_a_second_rotation_is_seen_although_another_process_saw_the_first(
    provider: Provider, clock: Clock
) -> None:
    one, other = store_of(provider, clock), store_of(provider, clock)
    other.keys()
    clock.now += 100
    provider.publish(public_jwk("RSA"))
    one.keys()
    one.refreshed()
    clock.now += 100
    provider.publish(public_jwk("Ed25519"))
    assert kids(other.refreshed()) == ["Ed25519"]


@pytest.mark.usefixtures("redis_cache")
def test_a_process_that_starts_in_an_outage_uses_the_stale_keys_of_the_others(
    provider: Provider, clock: Clock
) -> None:
    store_of(provider, clock).keys()
    provider.fail()
    clock.now += HARD_LIMIT - 1
    assert kids(store_of(provider, clock).keys()) == ["P-256"]
    clock.now += 1
    refusal(store_of(provider, clock))


@pytest.mark.usefixtures("redis_cache")
def test_issuers_do_not_share_keys(provider: Provider, clock: Clock) -> None:
    store_of(provider, clock).keys()
    with serving() as second:
        second.publish(public_jwk("RSA"))
        assert kids(store_of(second, clock).keys()) == ["RSA"]
    elsewhere = {"JWKS_URI": f"{provider.url}/other"}
    provider.answers["/other"] = as_json({"keys": [public_jwk("Ed25519")]})
    assert kids(store_of(provider, clock, **elsewhere).keys()) == ["Ed25519"]


@pytest.mark.usefixtures("redis_cache")
def test_only_public_documents_are_in_the_cache(
    provider: Provider, clock: Clock
) -> None:
    store_of(provider, clock).keys()
    (name,) = names_in_the_cache()
    assert json.loads(cache.get(name)) == [clock.now, {"keys": [public_jwk("P-256")]}]


@pytest.mark.usefixtures("redis_cache")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        "[1]",
        '[1, {"keys": []}, 3]',
        '["1", {"keys": []}]',
        "[null, null]",
        "[NaN, {}]",
        "[Infinity, {}]",
        "[1700000000, null]",
        '[1700000000, {"keys": 7}]',
        '[1e308, {"keys": []}]',
        b"\xff",
        7,
        ["a", "list"],
    ],
    ids=repr,
)
def test_rubbish_in_the_cache_is_no_error(
    provider: Provider, clock: Clock, text: Any
) -> None:
    store_of(provider, clock).keys()
    (name,) = names_in_the_cache()
    cache.set(name, text)
    assert kids(store_of(provider, clock).keys()) == ["P-256"]
    assert provider.fetches == 2


@pytest.mark.usefixtures("redis_cache")
def test_keys_from_the_future_do_not_stay(provider: Provider, clock: Clock) -> None:
    fast = Clock(clock.now + 24 * 3600)
    provider.publish(public_jwk("RSA"))
    store_of(provider, fast).keys()
    provider.publish(public_jwk("P-256"))
    assert kids(store_of(provider, clock).keys()) == ["P-256"]


@pytest.mark.usefixtures("redis_cache")
@pytest.mark.parametrize("fetched_at", [float("inf"), 1e308, 4_000_000_000])
def test_keys_from_the_future_do_not_help_in_an_outage(
    provider: Provider, clock: Clock, fetched_at: float
) -> None:
    store_of(provider, clock).keys()
    (name,) = names_in_the_cache()
    cache.set(name, json.dumps([fetched_at, {"keys": [public_jwk("RSA")]}]))
    provider.fail()
    refusal(store_of(provider, clock))


BROKEN: Mapping[str, Any] = {
    "nobody there": {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    },
    "no such backend": {"default": {"BACKEND": "nowhere.Cache"}},
    "no such alias": {
        "default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    },
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_cache_is_no_error(
    provider: Provider, clock: Clock, settings: Any, name: str
) -> None:
    settings.CACHES = BROKEN[name]
    alias = "other" if name == "no such alias" else "default"
    settings.DRF_APIKIT = {"AUTHENTICATION": {"CACHE": alias}}
    store = store_of(provider, clock)
    with override_settings(DRF_APIKIT={"AUTHENTICATION": {"CACHE": alias}}):
        assert kids(store.keys()) == ["P-256"]
        clock.now += LIFETIME
        provider.fail()
        assert kids(store.keys()) == ["P-256"]
