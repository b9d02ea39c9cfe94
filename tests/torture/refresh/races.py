"""Many clients with one refresh token at the same moment, and a copy of one later."""

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from tests.torture.fleet.report import Report
from tests.torture.issuing.project import Project, sid_of
from tests.torture.issuing.steps import UNGUARDED
from tests.torture.refresh.crowd import Crowd, Race

__all__ = [
    "GRACE",
    "OTHERS",
    "Bench",
    "Tally",
    "beside",
    "goes_on",
    "others",
    "races",
    "reuse",
    "unguarded",
]

#: Seconds for which a used token is refused without harm: longer than a race lasts.
GRACE: Final = 60
SIMPLEJWT: Final = "/simplejwt"
#: Races, of which one at least has several winners where nothing guards a token.
SOON: Final = 30
LEAST: Final = "of 200 in a race, at least"
MOST: Final = "of 200 in a race, at most"
OTHERS: Final = "other answers than 200 and 409"
DIFFERING: Final = "races without exactly one successor"
HARMED: Final = "sessions that do not go on"
EARLY: Final = "a copy within the grace does harm"
AFTER: Final = "a copy after it, in the first request, not refused with 401"
HOLDER: Final = "the right holder then, not refused with 401"
ALIVE: Final = "families that are alive then"
RACED: Final = "in a race of both: anything that is good then"


@dataclass(frozen=True)
class Bench:
    """A project, those who ask it, and what is found."""

    project: Project
    crowd: Crowd
    report: Report
    #: Whether whoever comes too late gets the same successor (`REPEAT_SUCCESSOR`).
    repeats: bool

    @property
    def late(self) -> int:
        """The status for whoever comes too late, within the grace."""
        return 200 if self.repeats else 409


@dataclass
class Tally:
    """What many races came to."""

    statuses: Counter[int] = field(default_factory=Counter)
    winners: list[int] = field(default_factory=list)
    spread: float = 0.0
    #: How many of the successors of a race are good later.
    good: list[int] = field(default_factory=list)

    def add(self, race: Race) -> None:
        """Count its answers."""
        self.statuses += race.statuses
        self.winners.append(race.statuses[200])
        self.spread = max(self.spread, race.milliseconds)

    def __str__(self) -> str:
        least, most = min(self.winners), max(self.winners)
        return str(least) if least == most else f"{least} to {most}"


def races(bench: Bench, rounds: int, prefix: str = "") -> Tally:
    """Race for one token: one client wins, and the session goes on."""
    tally, differing, harmed = Tally(), 0, 0
    for _ in range(rounds):
        race = _race(bench, tally, prefix)
        successors = set(race.successors)
        differing += len(successors) != 1
        harmed += not any(goes_on(bench, text) for text in successors)
    report, winners = bench.report, bench.crowd.count if bench.repeats else 1
    report.answers.update(tally.statuses)
    report.shown("races", rounds)
    report.shown("ms between two clients, at most", round(tally.spread, 1))
    report.exactly(LEAST, min(tally.winners), winners)
    report.exactly(MOST, max(tally.winners), winners)
    report.exactly(OTHERS, others(tally.statuses, 200, 409), 0)
    report.exactly(DIFFERING, differing, 0)
    report.exactly(HARMED, harmed, 0)
    return tally


def beside(bench: Bench, rounds: int) -> Tally:
    """Race for a token of simplejwt, rotated and put on its list; show what it does."""
    tally = Tally()
    for _ in range(rounds):
        race = _race(bench, tally, SIMPLEJWT, SIMPLEJWT)
        later = [bench.project.refresh(text, SIMPLEJWT) for text in race.successors]
        tally.good.append(sum(answer.status == 200 for answer in later))
    report = bench.report
    report.shown("races", rounds)
    report.shown(LEAST, min(tally.winners))
    report.shown("of 200 in a race, median", median(tally.winners))
    report.shown(MOST, max(tally.winners))
    report.shown("of 5xx", sum(n for s, n in tally.statuses.items() if s >= 500))
    report.shown("successors that are good later, at most", max(tally.good))
    return tally


def unguarded(bench: Bench) -> None:
    """Race where the engine reads first and writes then, until two clients win.

    If that does not happen soon, nobody has raced.
    """
    successors: list[int] = []
    while max(successors, default=0) < 2 and len(successors) < SOON:
        race = _race(bench, Tally(), UNGUARDED)
        # Where they are repeated, several clients may well have the same.
        successors.append(len(set(race.successors)))
    bench.report.shown("races", len(successors))
    bench.report.least("successors in a race, at most", max(successors), 2)


def _race(bench: Bench, tally: Tally, prefix: str, at: str = "") -> Race:
    """Have all clients present one token; where it is of is `at`."""
    texts = [bench.project.log_in(at)["refresh"]] * bench.crowd.count
    race = bench.crowd.refresh(bench.project, texts, prefix)
    tally.add(race)
    return race


def reuse(bench: Bench, rounds: int) -> None:
    """Present a copy: within the grace, after it, and both beside the right holder."""
    faults: Counter[str] = Counter()
    for _ in range(rounds):
        faults += _copied(bench) + _copied_in_a_race(bench)
    bench.report.shown("families", 2 * rounds)
    for what in (EARLY, AFTER, HOLDER, ALIVE, RACED):
        bench.report.exactly(what, faults[what], 0)


def _copied(bench: Bench) -> Counter[str]:
    """One after the other."""
    project = bench.project
    copy = project.log_in()["refresh"]
    held = project.refresh(copy).json()
    sid = sid_of(held["access"])
    project.age(sid, GRACE // 2)
    early = project.refresh(copy)
    harmless = early.status == bench.late and project.age(sid)
    project.age(sid, GRACE)
    after, holder = project.refresh(copy), project.refresh(held["refresh"])
    return Counter(
        {
            EARLY: int(not harmless),
            AFTER: int(after.status != 401),
            HOLDER: int(holder.status != 401),
            ALIVE: int(project.age(sid)),
        }
    )


def _copied_in_a_race(bench: Bench) -> Counter[str]:
    """Half of the clients have the copy, the others the right token."""
    project = bench.project
    copy = project.log_in()["refresh"]
    held = project.refresh(copy).json()
    sid = sid_of(held["access"])
    project.age(sid, GRACE + 1)
    texts = [copy, held["refresh"]] * (bench.crowd.count // 2)
    race = bench.crowd.refresh(project, texts)
    bench.report.answers.update(race.statuses)
    odd = others(race.statuses, 200, 401, 409)
    alive = project.age(sid)
    held_by = [*race.successors, held["refresh"], copy]
    good = [text for text in held_by if project.refresh(text).status != 401]
    return Counter({RACED: odd + len(good), ALIVE: int(alive)})


def goes_on(bench: Bench, text: str) -> bool:
    """Tell whether a token is good, and what it gives is too; uses it."""
    answer = bench.project.refresh(text)
    if answer.status != 200:
        return False
    headers = {"Authorization": f"Bearer {answer.json()['access']}"}
    return bench.project.send("GET", "/me", None, headers).status == 200


def others(statuses: Counter[int], *wanted: int) -> int:
    """Count the answers that have none of these statuses."""
    return sum(n for status, n in statuses.items() if status not in wanted)
