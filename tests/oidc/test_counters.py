"""Fetches of keys are counted, and uses of them are not."""

import pytest
from pytest_django import Settings

from tests.counting import recorded
from tests.jose.minting import public_jwk
from tests.oidc.provider import JWKS, Clock, Provider, as_json
from tests.oidc.stores import LIFETIME, refusal, renewed, settled, store_of


def test_a_fetch_is_counted_once(
    provider: Provider, clock: Clock, settings: Settings
) -> None:
    store = store_of(provider, clock)
    counted = recorded(settings)
    store.keys()
    settled(store).keys()
    assert counted == [("authentication.keys_fetched", {})]
    clock.now += LIFETIME
    renewed(store)
    assert counted == [("authentication.keys_fetched", {})] * 2
    provider.publish(public_jwk("RSA"))
    store.refreshed("RSA")
    settled(store)
    assert counted[2:] == [
        ("authentication.keys_fetched", {}),
        ("authentication.keys_rotated", {}),
    ]


@pytest.mark.parametrize("document", [None, {"keys": 7}], ids=["no answer", "no keys"])
def test_a_fetch_that_fails_is_counted(
    provider: Provider, clock: Clock, settings: Settings, document: object
) -> None:
    if document is None:
        provider.fail()
    else:
        provider.answers[JWKS] = as_json(document)
    store = store_of(provider, clock)
    counted = recorded(settings)
    refusal(store)
    # The second one is too soon for another fetch.
    refusal(store)
    assert counted == [("authentication.keys_fetch_failed", {})]


def test_stale_keys_stay_in_use_and_the_fetch_is_counted(
    provider: Provider, clock: Clock, settings: Settings
) -> None:
    store = store_of(provider, clock)
    store.keys()
    settled(store)
    counted = recorded(settings)
    provider.fail()
    clock.now += LIFETIME
    assert renewed(store) == ["P-256"]
    assert counted == [("authentication.keys_fetch_failed", {})]
