"""Looks that key ids cause which a process does not know."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from drf_apikit.jose import Reason, TokenError
from drf_apikit.tokens.keyring import SigningRing
from tests.oidc.provider import Clock
from tests.tokens.keyring.rings import ring_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ring(settings: Any, clock: Clock) -> SigningRing:
    return ring_of(settings, clock)


def test_keys_that_follow_one_another_at_once_are_found_at_once(
    ring: SigningRing, clock: Clock
) -> None:
    ring.signing_key()
    other = SigningRing(ring.settings, clock)
    known = other.keys().keys[0].kid
    for _ in range(3):
        (kid,) = ring.rotate(now=True).added
        found = other.refreshed(kid)
        assert found.select(kid, "ES256").kid == kid
    # Three looks in any three seconds, however many key ids strangers make up.
    (last,) = ring.rotate(now=True).added
    clock.now += 2.9
    with CaptureQueriesContext(connection) as queries:
        assert other.refreshed(last) is found
        assert other.refreshed(known) is found
    assert len(queries) == 0
    clock.now += 0.1
    assert other.refreshed(last).select(last, "ES256").kid == last


def test_strangers_cause_a_query_a_second(ring: SigningRing, clock: Clock) -> None:
    ring.signing_key()
    other = SigningRing(ring.settings, clock)
    keys = other.keys()
    with CaptureQueriesContext(connection) as queries:
        for number in range(101):
            assert other.refreshed(f"made up {number}") is keys
            clock.now += 0.125
    assert 12 <= len(queries) <= 15
    with pytest.raises(TokenError) as refused:
        keys.select("made up", "ES256")
    assert refused.value.reason is Reason.KEY_UNKNOWN
