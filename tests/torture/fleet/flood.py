"""A flood of tokens with key ids that nobody has, and a rotation in the middle."""

import uuid
from typing import Final

from tests.torture.fleet.fleet import Fleet, Told
from tests.torture.fleet.healthy import MINUTE, SLOTS
from tests.torture.fleet.provider import Key
from tests.torture.fleet.report import Report, most_within

__all__ = ["flood"]

#: Requests that are sent at the same moment.
WAVE: Final = 48
#: How much thinner the flood is behind its minute, until the rotation must be seen.
THINNER: Final = 5


class Flood:
    """What is sent, and what becomes of it."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._intruder = Key()
        self._old, self._new = fleet.provider.keys[-1], Key()
        self._rotated: float | None = None
        self.unknown: list[Told] = []
        self.valid: list[Told] = []
        #: By process, the seconds from the rotation to its first token.
        self.seen: dict[int, float] = {}
        #: Tokens of the new key that were refused although it had been seen.
        self.forgotten: list[Told] = []

    def waves(self, count: int, seconds: float) -> None:
        """Send so many waves in that time, the first of them now."""
        for _ in range(count):
            self._wave()
            self._fleet.advance(seconds / count)

    def rotate(self) -> None:
        """Publish a new key, and sign with it at once; the old one stays."""
        self._fleet.provider.keys = [self._old, self._new]
        self._rotated = self._fleet.clock.now

    def _wave(self) -> None:
        fleet, count = self._fleet, self._fleet.processes.count
        good = [(n, fleet.token(self._old)) for n in range(count)]
        if self._rotated is not None:
            good += [(n, fleet.token(self._new)) for n in range(count)]
        bad = [(n % count, self._token()) for n in range(WAVE)]
        told = fleet.deal([*bad[: WAVE // 2], *good, *bad[WAVE // 2 :]])
        half = WAVE // 2
        good_told = told[half : half + len(good)]
        self.unknown += [*told[:half], *told[half + len(good) :]]
        self.valid += good_told[:count]
        for each in good_told[count:]:
            self._judge(each)

    def _judge(self, told: Told) -> None:
        since = self._fleet.clock.now - (self._rotated or 0)
        if told.status == 200:
            self.seen.setdefault(told.process, since)
        elif told.process in self.seen:
            self.forgotten.append(told)

    def _token(self) -> str:
        self._intruder.kid = uuid.uuid4().hex
        return self._fleet.token(self._intruder)


def flood(fleet: Fleet, report: Report, tokens: int) -> None:
    """Send so many within one minute; a rotation comes in the middle of it."""
    report.begin("flood of unknown key ids")
    fleet.warm_up()
    fleet.advance(MINUTE)
    began, flooding = fleet.clock.now, Flood(fleet)
    waves = -(-tokens // WAVE)
    flooding.waves(waves // 2, MINUTE / 2)
    flooding.rotate()
    flooding.waves(waves - waves // 2, MINUTE / 2)
    report.shown("unknown key ids within the minute", len(flooding.unknown))
    flooding.waves(max(2, waves // 2 // THINNER), MINUTE / 2)
    flooding.waves(1, 0)
    fleet.settle()
    fetches = fleet.fetches(began)
    first = [when for when in fetches if when < began + MINUTE]
    report.most("fetches in that minute", len(first), SLOTS)
    report.most("fetches within any minute", most_within(MINUTE, fetches), SLOTS)
    report.none_but(401, "unknown key ids", flooding.unknown)
    report.none_but(200, "valid tokens", flooding.valid)
    count = fleet.processes.count
    report.exactly("processes that see the rotation", len(flooding.seen), count)
    slowest = max(flooding.seen.values(), default=float("inf"))
    report.most("seconds until the last one does", round(slowest, 1), MINUTE)
    report.exactly("that see it, and then do not", len(flooding.forgotten), 0)
