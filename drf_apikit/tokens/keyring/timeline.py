"""Which key signs, which ones verify, and until when: a matter of rows and the clock.

No state is stored, so that no process has to be told that it has changed.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from drf_apikit.jose import KeySet, parse_key_set

__all__ = ["LEEWAY", "Key", "KeyState", "Phase", "RingKey", "entries", "phase_at"]

#: Seconds for which a key outlives the last token that it may have signed: clocks
#: differ, and a process looks at the ring a few times a minute.
LEEWAY: Final = 60


class KeyState(StrEnum):
    """What a key is good for."""

    #: Published, and not signing yet.
    NEXT = "next"
    #: Signing.
    ACTIVE = "active"
    #: Not signing any more; what it has signed is accepted.
    RETIRED = "retired"
    #: Nothing that it has signed is accepted.
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as the database or the settings have it; moments are of the epoch."""

    kid: str
    algorithm: str
    #: None where the settings name a key that cannot be read.
    jwk: Mapping[str, Any] | None
    active_from: float = -math.inf
    created_at: float | None = None
    #: From when nothing that it has signed is accepted, by order.
    ended_at: float | None = None
    #: Whether that was given now, not for later: whatever time it is here.
    is_ended: bool = False
    #: Seconds for which a token that it has signed is good, at the most.
    token_lifetime: int
    sequence: int = 0
    #: The private key, or what becomes of it; for nobody's eyes.
    private: Any = field(default=None, repr=False)
    #: Why there is none.
    fault: str | None = None

    @property
    def ever_signs(self) -> bool:
        """Tell a key that signs, or has signed, from one that was ended before."""
        return self.ended_at is None or self.ended_at > self.active_from


@dataclass(frozen=True, slots=True)
class RingKey:
    """A key as people are told of it."""

    kid: str
    algorithm: str
    state: KeyState
    created_at: datetime | None
    #: None: from ever.
    active_from: datetime | None
    #: None where no end is known.
    dead_from: datetime | None


@dataclass(frozen=True, slots=True)
class Phase:
    """What holds from `since` until `until`."""

    keys: KeySet
    #: What is published, as JSON Web Keys.
    jwks: tuple[Mapping[str, Any], ...] = field(repr=False)
    active: Key | None
    next: Key | None
    since: float
    until: float


def phase_at(keys: Sequence[Key], now: float) -> Phase:
    """Say what holds now; `keys` are in the order in which they sign."""
    states = [_state(keys, index, now) for index in range(len(keys))]
    published = tuple(
        key.jwk
        for key, state in zip(keys, states, strict=True)
        if state is not KeyState.DEAD and key.jwk is not None
    )
    moments = sorted(_moments(keys))
    return Phase(
        parse_key_set({"keys": list(published)}),
        published,
        _first(keys, states, KeyState.ACTIVE),
        _first(keys, states, KeyState.NEXT),
        max((moment for moment in moments if moment <= now), default=-math.inf),
        min((moment for moment in moments if moment > now), default=math.inf),
    )


def entries(keys: Sequence[Key], now: float) -> tuple[RingKey, ...]:
    """Tell of all keys, the newest last."""
    return tuple(
        RingKey(
            key.kid,
            key.algorithm,
            _state(keys, index, now),
            _as_time(key.created_at),
            _as_time(key.active_from),
            _as_time(_dead_from(keys, index)),
        )
        for index, key in enumerate(keys)
    )


def _state(keys: Sequence[Key], index: int, now: float) -> KeyState:
    key, dead_from = keys[index], _dead_from(keys, index)
    if key.is_ended or (dead_from is not None and dead_from <= now):
        return KeyState.DEAD
    if key.active_from > now:
        return KeyState.NEXT
    # One that has signed is not taken back into service when a later one has died.
    later = keys[index + 1 :]
    if any(other.ever_signs and other.active_from <= now for other in later):
        return KeyState.RETIRED
    return KeyState.ACTIVE


def _dead_from(keys: Sequence[Key], index: int) -> float | None:
    """Say when the last token that a key may have signed is over."""
    key = keys[index]
    if key.ended_at is not None:
        return key.ended_at
    later = (other.active_from for other in keys[index + 1 :] if other.ever_signs)
    superseded = min(later, default=-math.inf)
    if superseded == -math.inf:
        return None
    return superseded + key.token_lifetime + LEEWAY


def _moments(keys: Sequence[Key]) -> Iterator[float]:
    for index, key in enumerate(keys):
        yield key.active_from
        dead_from = _dead_from(keys, index)
        if dead_from is not None:
            yield dead_from


def _first(
    keys: Sequence[Key], states: Sequence[KeyState], wanted: KeyState
) -> Key | None:
    found = (key for key, state in zip(keys, states, strict=True) if state is wanted)
    return next(found, None)


def _as_time(moment: float | None) -> datetime | None:
    if moment is None or moment == -math.inf:
        return None
    return datetime.fromtimestamp(moment, UTC)
