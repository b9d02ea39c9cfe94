"""What was tried by script, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was tried, what came of it, and whether that is right."""

    title: str
    told: Sequence[str]
    expected: Sequence[tuple[str, bool]]
