"""A cold start, rotations by schedule, the promised end of a key, and a lost key."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from tests.torture.fleet.healthy import steps
from tests.torture.fleet.report import Report
from tests.torture.key_rotation.fleet import HOUR, LEAD, LIFE, LOOK, Fleet, Given

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["Traffic", "cold", "promised", "retired", "scheduled", "sudden"]

#: Seconds from one moment at which all ask to the next: a token is presented twice.
LONGEST: Final = LIFE // 3
NEVER: Final = -1.0
REFUSALS: Final = "refusals"
BEFORE: Final = "a second before: not accepted"
UNPUBLISHED: Final = "a second before: not published"
THEN: Final = "in that second: not refused with 401"
PUBLISHED: Final = "in that second: published"
ACCEPTED: Final = "the last second in which it is accepted"
SIGNS: Final = "the last second in which it signs"
#: Sessions at each process.
EACH: Final = 1


@dataclass
class Traffic:
    """Sessions that refresh all the time, and present what they get everywhere."""

    fleet: Fleet
    sessions: list[Given] = field(default_factory=list)
    kids: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Log in, all at the same time."""
        numbers = [n for n in range(self.fleet.issuers.count) for _ in range(EACH)]
        asked = [self.fleet.threads.submit(self.fleet.log_in, n) for n in numbers]
        self.sessions = [each.result() for each in asked]
        self.present(self.sessions)

    def step(self, seconds: float) -> None:
        """Refresh all and present the new and the old, while time passes."""
        former = self.sessions
        asked = [self.fleet.threads.submit(self._turn, each) for each in former]
        self.fleet.clock.advance(seconds)
        self.sessions = [self._counted(each) for each in asked]

    def present(self, given: Sequence[Given]) -> None:
        """Present tokens to all processes and services."""
        for each in given:
            self.kids[each.kid] += 1
            self._note(each, self.fleet.everywhere(each.access))

    def _turn(self, given: Given) -> tuple[Given, list[int], list[int]]:
        new = self.fleet.refresh(given)
        told = self.fleet.everywhere(new.access)
        return new, told, self.fleet.everywhere(given.access)

    def _counted(self, asked: "Future[tuple[Given, list[int], list[int]]]") -> Given:
        new, told, told_of_old = asked.result()
        self.kids[new.kid] += 1
        self._note(new, told + told_of_old)
        return new

    def _note(self, given: Given, statuses: Sequence[int]) -> None:
        self.answers.update(statuses)
        if set(statuses) != {200}:
            told = f"{given.kid} of process {given.process}: {list(statuses)}"
            self.refused.append(f"at {self.fleet.now:.0f}, {told}")

    def tell(self, report: Report) -> None:
        """Note what came of it."""
        report.answers.update(self.answers)
        report.shown("tokens given out", self.kids.total())
        report.shown("times that a token was presented", self.answers.total())
        report.exactly(REFUSALS, self.answers.total() - self.answers[200], 0)
        for line in self.refused[:10]:
            print(line)


def cold(fleet: Fleet, report: Report) -> None:
    """All sign at once, and there is no key."""
    report.begin("cold start")
    traffic = Traffic(fleet)
    traffic.begin()
    traffic.tell(report)
    report.exactly("keys that were made", len(set().union(*fleet.published())), 1)


def scheduled(fleet: Fleet, report: Report, rotations: int, rng: random.Random) -> None:
    """Keys rotate by schedule, under way."""
    report.begin("rotations by schedule")
    pids, began = fleet.pids(), fleet.now
    traffic = Traffic(fleet)
    traffic.begin()
    # Whoever signs makes the next key, and may do so a little late.
    for seconds in steps(rng, rotations * (HOUR + LONGEST), LONGEST):
        traffic.step(seconds)
    traffic.tell(report)
    report.shown("hours", (fleet.now - began) / HOUR)
    report.exactly("keys that have signed", len(traffic.kids), rotations + 1)
    report.exactly("processes started anew", len(set(fleet.pids()) - set(pids)), 0)


def sudden(fleet: Fleet, report: Report, rounds: int) -> None:
    """A key signs at once, as after a theft: all processes meet it in many threads."""
    report.begin("a key that signs at once")
    told: list[int] = []
    for _ in range(rounds):
        fleet.issuers.command("apikit_keys", "rotate", "--now")
        # One process looks first, and signs.
        fleet.clock.advance(LOOK)
        given = fleet.log_in(0)
        told += fleet.crowded(given.access)
        fleet.clock.advance(LOOK)
    report.answers.update(told)
    report.shown("times that a token was presented", len(told))
    report.exactly(REFUSALS, len(told) - told.count(200), 0)


def promised(fleet: Fleet, report: Report, rng: random.Random) -> None:
    """A token outlives its key: it is good until the moment that was told, and ends."""
    report.begin("the promised end of a key")
    traffic = Traffic(fleet)
    traffic.begin()
    token, kid = fleet.long_lived(traffic.sessions[0])
    fleet.issuers.command("apikit_keys", "rotate")
    end = dead_from(fleet, kid)
    report.shown("seconds until then", end - fleet.now)
    for seconds in steps(rng, end - fleet.now - 1, LONGEST):
        traffic.step(seconds)
    before, listed = fleet.at_issuers(token), fleet.published()
    report.exactly(BEFORE, len(before) - before.count(200), 0)
    report.exactly(UNPUBLISHED, sum(kid not in kids for kids in listed), 0)
    traffic.step(1)
    then, listed = fleet.at_issuers(token), fleet.published()
    report.exactly(THEN, len(then) - then.count(401), 0)
    report.exactly(PUBLISHED, sum(kid in kids for kids in listed), 0)
    _seen_elsewhere(fleet, report, token)
    traffic.tell(report)


def retired(fleet: Fleet, report: Report) -> None:
    """A key is lost: it is ended by hand, and nobody accepts it soon."""
    report.begin("a key that is ended by hand")
    traffic = Traffic(fleet)
    traffic.begin()
    token, kid = fleet.long_lived(traffic.sessions[0])
    accepted = fleet.everywhere(token)
    report.exactly("before: not accepted", len(accepted) - accepted.count(200), 0)
    fleet.issuers.command("apikit_keys", "retire", kid)
    ended, new = fleet.now, Traffic(fleet)
    signs, accepted_at, at_services = [NEVER], [NEVER], [NEVER]
    while fleet.now <= ended + 2 * LOOK:
        if 200 in fleet.at_issuers(token):
            accepted_at.append(fleet.now - ended)
        if 200 in fleet.at_services(token):
            at_services.append(fleet.now - ended)
        given = [fleet.log_in(number) for number in range(fleet.issuers.count)]
        if any(each.kid == kid for each in given):
            signs.append(fleet.now - ended)
        new.present([each for each in given if each.kid != kid])
        fleet.clock.advance(1)
    report.most(ACCEPTED, max(accepted_at), LOOK)
    report.most(SIGNS, max(signs), LOOK)
    report.most("the last one in which a service accepts it", max(at_services), LOOK)
    new.tell(report)
    report.exactly("keys that sign in its place", len(new.kids), 1)


def dead_from(fleet: Fleet, kid: str) -> float:
    """Read from when on nothing that a key has signed is accepted."""
    told = json.loads(fleet.issuers.command("apikit_keys", "list", "--format", "json"))
    moments = {key["kid"]: key["dead_from"] for key in told}
    return datetime.fromisoformat(moments[kid]).timestamp()


def _seen_elsewhere(fleet: Fleet, report: Report, token: str) -> None:
    """Tell when the services, which fetch the keys, accept a token no more."""
    since = fleet.now
    while 200 in fleet.at_services(token) and fleet.now < since + HOUR:
        # Whoever asks last within the period sets off the fetch behind it.
        fleet.clock.advance(LOOK)
        fleet.services.settle(lambda: None)
    report.most("seconds until services refuse it", fleet.now - since, LEAD)
