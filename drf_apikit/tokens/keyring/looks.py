"""When a process looks at the keys again, and what it has seen."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from drf_apikit.jose import KeySet
from drf_apikit.tokens.keyring.timeline import Key, KeyState, Phase, entries

__all__ = ["GLANCE", "LOOK", "Allowance", "Held", "has", "lacking"]

#: Seconds after which a process looks again at what the others have changed.
LOOK: Final = 15
#: Seconds between two looks for what no look has found.
GLANCE: Final = 1
#: Looks that unknown key ids may cause within that many seconds: one a second on
#: average, and several in a row where one key follows another.
_BURST: Final = 3


@dataclass(frozen=True, slots=True)
class Held:
    """What was read at `since`, and until when nobody need look again."""

    keys: tuple[Key, ...]
    phase: Phase
    since: float
    look_at: float


class Allowance:
    """Bounds the looks that strangers cause, who can make up any number of key ids."""

    def __init__(self) -> None:
        self._looks = deque([-math.inf] * _BURST, maxlen=_BURST)

    def take(self, now: float) -> bool:
        """Tell whether one more look may be had now, and count it."""
        # A clock that was set back must not stop them.
        if 0 <= now - self._looks[0] < _BURST * GLANCE:
            return False
        self._looks.append(now)
        return True


def has(keys: KeySet, kid: str | None) -> bool:
    """Tell whether there is a key of that name."""
    return any(key.kid == kid for key in keys.keys)


def lacking(keys: Sequence[Key], now: float) -> str | None:
    """Say why a key that is not dead can neither verify nor be published.

    Its file may be there in a moment, as when the machine starts.
    """
    if all(key.jwk is not None for key in keys):
        return None
    told = zip(keys, entries(keys, now), strict=True)
    alive = (key for key, entry in told if entry.state is not KeyState.DEAD)
    return next((key.fault for key in alive if key.jwk is None), None)
