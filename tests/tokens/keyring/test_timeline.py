import math
from datetime import UTC, datetime
from typing import Any

import pytest

from drf_apikit.tokens.keyring.timeline import LEEWAY, Key, entries, phase_at
from tests.jose.minting import public_jwk

NOW = 1_800_000_000
LIFE = 300


def key(kid: str, active_from: float, **others: Any) -> Key:
    jwk = {**public_jwk("P-256"), "kid": kid}
    given = {"jwk": jwk, "token_lifetime": LIFE, **others}
    return Key(kid=kid, algorithm="ES256", active_from=active_from, **given)


def told(keys: list[Key], now: float = NOW) -> dict[str, str]:
    return {entry.kid: entry.state.value for entry in entries(keys, now)}


def test_there_may_be_no_keys() -> None:
    phase = phase_at([], NOW)
    assert (phase.keys.keys, phase.jwks, phase.active, phase.next) == (
        (),
        (),
        None,
        None,
    )
    assert (phase.since, phase.until) == (-math.inf, math.inf)
    assert entries([], NOW) == ()


def test_a_key_is_next_then_active_then_retired_then_dead() -> None:
    keys = [key("a", NOW), key("b", NOW + 100)]
    dead = NOW + 100 + LIFE + LEEWAY
    expected = {
        NOW - 1: ("next", "next"),
        NOW: ("active", "next"),
        NOW + 99.999: ("active", "next"),
        NOW + 100: ("retired", "active"),
        dead - 0.001: ("retired", "active"),
        dead: ("dead", "active"),
    }
    assert {at: tuple(told(keys, at).values()) for at in expected} == expected


def test_a_phase_lasts_until_something_changes() -> None:
    keys = [key("a", NOW), key("b", NOW + 100)]
    dead = NOW + 100 + LIFE + LEEWAY
    bounds = [(-math.inf, NOW), (NOW, NOW + 100), (NOW + 100, dead), (dead, math.inf)]
    for since, until in bounds:
        phase = phase_at(keys, max(since, NOW - 1))
        assert (phase.since, phase.until) == (since, until)
    names = [[one.kid for one in phase_at(keys, at).keys.keys] for at in (NOW, dead)]
    assert names == [["a", "b"], ["b"]]
    phase = phase_at(keys, NOW)
    assert (phase.active, phase.next) == (keys[0], keys[1])
    assert [jwk["kid"] for jwk in phase.jwks] == ["a", "b"]


def test_an_order_ends_a_key_whenever_it_would_have_died() -> None:
    keys = [key("a", NOW - 50, ended_at=NOW), key("b", NOW + 100)]
    assert told(keys) == {"a": "dead", "b": "next"}
    assert phase_at(keys, NOW).active is None
    assert told(keys, NOW - 1) == {"a": "active", "b": "next"}


def test_a_key_that_never_signed_supersedes_nothing() -> None:
    keys = [key("a", NOW - 50), key("b", NOW + 100, ended_at=NOW)]
    assert told(keys) == {"a": "active", "b": "dead"}
    assert entries(keys, NOW)[0].dead_from is None
    assert told(keys, NOW + 10_000)["a"] == "active"


def test_the_end_of_a_successor_changes_no_promise() -> None:
    keys = [key("a", NOW - 50), key("b", NOW), key("c", NOW + 9)]
    promised = entries(keys, NOW)[0].dead_from
    keys[1] = key("b", NOW, ended_at=NOW + 9)
    assert entries(keys, NOW + 9)[0].dead_from == promised
    assert told(keys, NOW + 9) == {"a": "retired", "b": "dead", "c": "active"}


def test_one_that_was_superseded_is_not_taken_back() -> None:
    keys = [key("a", NOW - 50), key("b", NOW, ended_at=NOW + 9)]
    assert told(keys, NOW + 9) == {"a": "retired", "b": "dead"}


def test_each_key_outlives_its_own_tokens() -> None:
    keys = [key("a", NOW - 50, token_lifetime=1000), key("b", NOW)]
    (first, last) = entries(keys, NOW)
    assert first.dead_from == datetime.fromtimestamp(NOW + 1000 + LEEWAY, UTC)
    assert (last.active_from, last.dead_from) == (
        datetime.fromtimestamp(NOW, UTC),
        None,
    )


def test_keys_without_a_date_have_no_end() -> None:
    keys = [key("a", -math.inf), key("b", -math.inf)]
    assert told(keys) == {"a": "retired", "b": "active"}
    assert [(one.active_from, one.dead_from) for one in entries(keys, NOW)] == [
        (None, None)
    ] * 2


def test_a_key_that_cannot_be_read_keeps_its_place() -> None:
    keys = [key("a", NOW - 50), key("b", NOW, jwk=None, fault="gone")]
    phase = phase_at(keys, NOW)
    assert [one.kid for one in phase.keys.keys] == ["a"]
    assert phase.active is keys[1]


@pytest.mark.parametrize("private", ["-----BEGIN", b"secret"])
def test_nothing_private_is_shown(private: object) -> None:
    assert str(private) not in repr(key("a", NOW, private=private))


def test_what_was_ended_is_dead_whatever_time_it_is() -> None:
    """Who has ended it may have a clock that is ahead."""
    keys = [key("a", NOW - 50, ended_at=NOW + 100, is_ended=True)]
    assert told(keys) == {"a": "dead"}
    phase = phase_at(keys, NOW)
    assert (phase.keys.keys, phase.active) == ((), None)


def test_the_first_of_all_successors_supersedes() -> None:
    keys = [key("a", NOW - 50), key("b", NOW + 9_000_000), key("c", NOW)]
    assert entries(keys, NOW)[0].dead_from == datetime.fromtimestamp(
        NOW + LIFE + LEEWAY, UTC
    )
