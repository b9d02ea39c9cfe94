"""What rows come to where clocks differ, keys are stolen, and SECRET_KEY changes."""

from typing import Any

import pytest

from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.tokens.keyring import SigningRing, rows
from drf_apikit.tokens.keyring.rows import read
from drf_apikit.tokens.models import SigningKeyRecord
from tests.oidc.provider import Clock
from tests.tokens.keyring.rings import DAY, HOUR, NOW, kids, ring_of, states

pytestmark = pytest.mark.django_db(transaction=True)
PERIOD = 90 * DAY


@pytest.fixture
def ring(settings: Any, clock: Clock) -> SigningRing:
    return ring_of(settings, clock)


def on_host(ring: SigningRing, ahead: float) -> SigningRing:
    """Give a ring of a host whose clock is ahead."""
    return SigningRing(ring.settings, Clock(NOW + ahead))


def kept() -> list[bool]:
    """Tell which keys have a private part."""
    return [bool(key.private) for key in read()]


@pytest.mark.parametrize("ahead", [5, HOUR, -HOUR])
def test_a_key_is_dead_whatever_the_clock_of_who_has_ended_it(
    ring: SigningRing, clock: Clock, ahead: float
) -> None:
    first = on_host(ring, min(ahead, 0)).signing_key().kid
    ring.signing_key()
    on_host(ring, ahead).retire(first)
    other = SigningRing(ring.settings, clock)
    assert first not in kids(other)
    second = other.signing_key().kid
    assert (second != first, kids(other)) == (True, [second])
    clock.now += 15
    assert ring.signing_key().kid == second
    assert kids(ring) == [second]


def test_a_next_key_that_is_far_off_is_no_next_key(
    ring: SigningRing, clock: Clock
) -> None:
    first = ring.signing_key().kid
    (second,) = on_host(ring, 400 * DAY).rotate(if_due=True).added
    assert states(ring) == ["active", "next"]
    clock.now += PERIOD - HOUR
    assert ring.signing_key().kid == first
    clock.now += HOUR
    # It has been moved to where it belongs, and another one is not made.
    assert ring.signing_key().kid == second
    assert states(ring) == ["retired", "active"]


def test_a_next_key_that_is_a_little_late_is_one(ring: SigningRing) -> None:
    ring.signing_key()
    assert on_host(ring, 60).rotate()
    assert not ring.rotate()
    assert on_host(ring, -1).rotate()


def test_private_keys_are_not_deleted_by_a_clock_that_is_ahead(
    ring: SigningRing,
) -> None:
    first = ring.signing_key().kid
    ahead = on_host(ring, 400 * DAY)
    assert ahead.rotate(if_due=True)
    later = on_host(ring, 400 * DAY + 2 * HOUR)
    # The first one is dead by that clock; but there was nothing to do.
    assert states(later) == ["dead", "active"]
    assert not later.rotate(if_due=True)
    assert kept() == [True, True]
    assert SigningRing(ring.settings, Clock(NOW + 1)).signing_key().kid == first


def test_private_keys_are_deleted_some_minutes_after_their_death(
    ring: SigningRing, clock: Clock
) -> None:
    ring.signing_key()
    ring.rotate(now=True)
    clock.now += 300 + 60 + 599
    ring.rotate(now=True)
    assert states(ring)[0] == "dead"
    assert kept() == [True, True, True]
    clock.now += 1
    ring.rotate(now=True)
    assert kept() == [False, True, True, True]


def test_the_key_before_the_one_that_signs_is_left_as_it_is(ring: SigningRing) -> None:
    """By the clocks of others it may be the one that signs."""
    first = ring.signing_key().kid
    for days in (400, 490):
        assert on_host(ring, days * DAY).rotate(if_due=True)
    assert kept() == [True, True, True]
    assert SigningRing(ring.settings, Clock(NOW + 1)).signing_key().kid == first
    assert on_host(ring, 580 * DAY).rotate(if_due=True)
    assert kept() == [False, True, True, True]


def test_a_new_key_follows_one_that_was_stolen(ring: SigningRing) -> None:
    """The next one lay beside it."""
    first = ring.signing_key().kid
    (second,) = ring.rotate().added
    change = ring.retire(first)
    (third,) = change.added
    assert third not in {first, second}
    assert change.retired == (first, second)
    assert (kids(ring), kept()) == ([third], [False, False, True])
    assert ring.signing_key().kid == third


def test_secret_key_rotates_by_the_book(settings: Any, clock: Clock) -> None:
    former = settings.SECRET_KEY
    first = ring_of(settings, clock).signing_key().kid
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 50, [former]
    # What signs goes on with the fallback; what rotates needs it no more.
    assert ring_of(settings, clock).signing_key().kid == first
    assert not ring_of(settings, clock).rotate(if_due=True)
    settings.SECRET_KEY_FALLBACKS = []
    assert ring_of(settings, clock).signing_key().kid == first


def test_to_rotate_helps_at_once_where_the_key_cannot_be_decrypted(
    settings: Any, clock: Clock
) -> None:
    ring = ring_of(settings, clock)
    first = ring.signing_key().kid
    (second,) = ring.rotate().added
    settings.SECRET_KEY = "n" * 50
    other = ring_of(settings, clock)
    # Whoever follows the schedule may be the only one who lacks what others have.
    assert not other.rotate(if_due=True)
    with pytest.raises(KeysUnavailableError, match="cannot be decrypted"):
        other.signing_key()
    (third,) = other.rotate().added
    assert other.signing_key().kid == third
    assert kids(other) == [first, second, third]
    clock.now += HOUR
    assert (other.signing_key().kid, states(other)) == (
        third,
        ["dead", "dead", "active"],
    )


def test_keys_whose_tokens_live_are_kept_however_many(
    ring: SigningRing, clock: Clock
) -> None:
    first = ring.signing_key().kid
    record = SigningKeyRecord.objects.get()
    for sequence in range(2, 103):
        record.sequence, record.kid = sequence, f"k{sequence}"
        record.save(force_insert=True)
    ring.rotate(now=True)
    assert kids(ring)[0] == first
    assert len(read()) == 103
    clock.now += HOUR
    ring.rotate(now=True)
    assert [key.sequence for key in read()] == list(range(5, 105))


def test_what_was_ended_is_not_changed_again(ring: SigningRing) -> None:
    ring.signing_key()
    (stale,) = read()
    assert rows.end(stale, NOW + 5)
    assert not rows.end(stale, NOW + 9)
    assert not rows.promote(stale, NOW + 100)
    rows.lengthen(stale, 10_000)
    rows.replace_private_key(stale, "sealed anew")
    (key,) = read()
    assert (key.ended_at, key.active_from, key.token_lifetime, key.private) == (
        *(NOW + 5, NOW, 300),
        "",
    )


def test_a_next_key_that_was_moved_is_not_moved_again(ring: SigningRing) -> None:
    ring.signing_key()
    ring.rotate()
    stale = read()[1]
    assert rows.promote(stale, NOW + 9)
    assert not rows.promote(stale, NOW + 50)
    assert read()[1].active_from == NOW + 9
