"""What unknown key ids may cost: a few fetches, whoever sends how many of them."""

from typing import Final

from drf_apikit.oidc.sharing import SLOTS, WINDOW, SharedLevel

__all__ = ["Budget", "VainSearches"]

#: Key ids that are remembered.
_MEMORY: Final = 128


class Budget:
    """Forced fetches: `SLOTS` in any `WINDOW` seconds, counted per attempt.

    Both this process and all of them together have to have one left; so where
    there is nothing to share, or it forgets, the process still keeps to it.
    """

    def __init__(self) -> None:
        self._spent: list[float] = []

    def is_spent(self, now: float) -> bool:
        """Tell whether this process has none left, whatever the others have."""
        self._spent = [stamp for stamp in self._spent if 0 <= now - stamp < WINDOW]
        return len(self._spent) >= SLOTS

    def take(self, shared: SharedLevel, now: float) -> bool:
        """Charge for one attempt; False where there is none left."""
        if self.is_spent(now) or not shared.take_slot(now):
            return False
        self._spent.append(now)
        return True


class VainSearches:
    """Key ids that were not found, for a while: one client cannot spend it all."""

    def __init__(self) -> None:
        self._spans: dict[str | None, tuple[float, float]] = {}

    def add(self, kid: str | None, now: float, seconds: float) -> None:
        """Remember a key id; the oldest one is forgotten for it."""
        self._spans.pop(kid, None)
        while len(self._spans) >= _MEMORY:
            del self._spans[next(iter(self._spans))]
        self._spans[kid] = (now, now + seconds)

    def has(self, kid: str | None, now: float) -> bool:
        """Tell whether it would be looked for in vain."""
        begin, end = self._spans.get(kid, (0.0, 0.0))
        return begin <= now < end
