"""Who is told of fetches and rotations."""

from collections.abc import Iterator
from typing import Any

import pytest

from drf_apikit.oidc.jwks import KeyStore
from drf_apikit.signals import key_rotated, keys_refreshed
from tests.jose.minting import public_jwk
from tests.oidc.provider import Clock, Provider
from tests.oidc.stores import LIFETIME, kids, refusal, renewed, settled, store_of

Told = list[dict[str, Any]]


@pytest.fixture
def store(provider: Provider, clock: Clock) -> KeyStore:
    return store_of(provider, clock)


@pytest.fixture
def told() -> Iterator[Told]:
    """Give what the receivers of both signals are told."""
    heard: Told = []

    def hear(**arguments: Any) -> None:
        del arguments["signal"], arguments["sender"]
        heard.append(arguments)

    for signal in (keys_refreshed, key_rotated):
        signal.connect(hear)
    yield heard
    for signal in (keys_refreshed, key_rotated):
        signal.disconnect(hear)


def test_each_fetch_is_told(
    provider: Provider, store: KeyStore, clock: Clock, told: Told
) -> None:
    provider.publish(public_jwk("RSA"), public_jwk("RSA-1024"))
    fetched = {
        "issuer": provider.url,
        "key_ids": ("RSA",),
        "dropped": ("keys[1]: too weak, or not for signatures",),
    }
    store.keys()
    settled(store).keys()
    assert told == [fetched]
    clock.now += LIFETIME
    renewed(store)
    assert told == [fetched] * 2


def test_a_rotation_is_told_with_what_has_come_and_gone(
    provider: Provider, store: KeyStore, told: Told
) -> None:
    provider.publish(public_jwk("RSA"), public_jwk("P-256"))
    store.keys()
    provider.publish(public_jwk("P-256"), public_jwk("Ed25519"))
    store.refreshed("Ed25519")
    settled(store)
    rotated = {"issuer": provider.url, "added": ("Ed25519",), "removed": ("RSA",)}
    assert told[2:] == [rotated]


def test_another_key_of_the_same_name_is_a_rotation(
    provider: Provider, store: KeyStore, clock: Clock, told: Told
) -> None:
    store.keys()
    provider.publish(public_jwk("other P-256", kid="P-256"))
    clock.now += LIFETIME
    renewed(store)
    rotated = {"issuer": provider.url, "added": ("P-256",), "removed": ("P-256",)}
    assert told[2:] == [rotated]


def test_another_name_of_the_same_key_is_none(
    provider: Provider, store: KeyStore, clock: Clock, told: Told
) -> None:
    store.keys()
    provider.publish(public_jwk("P-256", kid="renamed"))
    clock.now += LIFETIME
    assert renewed(store) == ["renamed"]
    assert [sorted(one) for one in told] == [["dropped", "issuer", "key_ids"]] * 2


def test_a_failure_is_not_told(provider: Provider, store: KeyStore, told: Told) -> None:
    provider.fail()
    refusal(store)
    settled(store)
    assert told == []


@pytest.mark.usefixtures("shared")
def test_only_the_process_that_has_fetched_tells(
    provider: Provider, clock: Clock, told: Told
) -> None:
    for _ in range(3):
        store = store_of(provider, clock)
        store.keys()
        settled(store)
    assert len(told) == 1


def test_a_receiver_that_fails_is_no_error(provider: Provider, store: KeyStore) -> None:
    def fail(**_: object) -> None:
        raise LookupError

    keys_refreshed.connect(fail)
    try:
        assert kids(store.keys()) == ["P-256"]
        settled(store)
    finally:
        keys_refreshed.disconnect(fail)
    provider.publish(public_jwk("RSA"))
    assert kids(store.refreshed("RSA")) == ["RSA"]
