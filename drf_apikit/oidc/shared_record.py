"""What processes tell each other of a shared value: the value, or why there is none."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from drf_apikit.oidc.entries import SKEW
from drf_apikit.oidc.sharing import LONGEST

__all__ = ["Failure", "Record", "Timed", "dump_failure", "dump_record", "load_text"]

#: Characters of a reason.
_SHOWN: Final = 300

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timed(Generic[T]):
    """A value with the times at which it is renewed and at which it ends.

    Times are seconds since the epoch.
    """

    value: T = field(repr=False)
    renew_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Record(Generic[T]):
    """A value as it was obtained at `since`."""

    timed: Timed[T]
    since: float

    def is_usable(self, now: float) -> bool:
        """Tell whether it has not ended; it has after a clock was set back."""
        return self.since - SKEW <= now < self.timed.expires_at

    def is_fresh(self, now: float) -> bool:
        """Tell whether nobody need renew it."""
        return self.is_usable(now) and now < self.timed.renew_at


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no value, and until when nobody tries to get one."""

    reason: str
    since: float
    until: float

    def holds(self, now: float) -> bool:
        """Tell whether the next attempt is not due yet."""
        return self.since - SKEW <= now < self.until


def dump_record(record: Record[T], dump: Callable[[T], str]) -> str:
    """Write a value for other processes."""
    timed = record.timed
    members = {
        "value": dump(timed.value),
        "since": record.since,
        "renew_at": timed.renew_at,
        "expires_at": timed.expires_at,
    }
    return json.dumps(members, allow_nan=False)


def dump_failure(failure: Failure) -> str:
    """Write for other processes why there is no value."""
    members = {
        "failure": failure.reason,
        "since": failure.since,
        "until": failure.until,
    }
    return json.dumps(members, allow_nan=False)


def load_text(text: str, load: Callable[[str], T], now: float) -> Record[T] | Failure:
    """Read what another process has written.

    Raises:
        ValueError: it is not that, or it comes from the future.

    """
    try:
        members = json.loads(text)
        found = _failure(members) if "failure" in members else _record(members, load)
    except (LookupError, OverflowError, RecursionError, TypeError) as error:
        raise ValueError(type(error).__name__) from None
    if found.since > now + SKEW:
        raise ValueError("from the future")
    return found


def _record(members: Any, load: Callable[[str], T]) -> Record[T]:
    times = [_number(members[name]) for name in ("renew_at", "expires_at")]
    return Record(
        Timed(load(_text(members["value"])), *times), _number(members["since"])
    )


def _failure(members: Any) -> Failure:
    since, until = _number(members["since"]), _number(members["until"])
    if until - since > LONGEST:
        raise ValueError("for too long")
    # It goes into logs.
    shown = "".join(c for c in _text(members["failure"])[:_SHOWN] if c.isprintable())
    return Failure(shown, since, until)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> float:
    """Read a number; a bool is one only to Python."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number
