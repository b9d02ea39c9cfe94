"""Workers that are killed while they refresh, and clients that ask again."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import Final

from tests.torture.issuing.project import sid_of
from tests.torture.issuing.steps import Step
from tests.torture.refresh.races import GRACE, OTHERS, Bench, goes_on, others

__all__ = ["killed_amid", "killed_at"]

NEVER: Final = threading.Event()
RETRY: Final = "asked again, another answer than"
STUCK: Final = "a session that neither goes on nor is refused"


def killed_at(bench: Bench, step: Step, rounds: int) -> None:
    """Kill the worker at a step; the client has no answer, and asks again."""
    committed = step == Step.ANSWERING
    wanted = bench.late if committed else 200
    faults: Counter[str] = Counter()
    for _ in range(rounds):
        tokens = bench.project.log_in()
        cut = bench.project.refresh(tokens["refresh"], end=step)
        again = bench.project.refresh(tokens["refresh"])
        faults["missed"] += cut.status != 0
        faults["again"] += again.status != wanted
        bench.report.answers.update([cut.status, again.status])
        given = [again.json()["refresh"]] if again.status == 200 else []
        faults["stuck"] += not _ends_well(bench, tokens, given)
    bench.report.shown(f"kills {step}", rounds)
    bench.report.exactly("that missed", faults["missed"], 0)
    bench.report.exactly(f"{RETRY} {wanted}", faults["again"], 0)
    bench.report.exactly(STUCK, faults["stuck"], 0)


def killed_amid(bench: Bench, rounds: int, rng: random.Random) -> None:
    """Kill a worker at any moment of a race; whoever has no answer asks again."""
    faults: Counter[str] = Counter()
    usual = _raced(bench, faults, lambda: None)
    for _ in range(rounds):
        delay = rng.uniform(0, usual)

        def kill(delay: float = delay) -> None:
            NEVER.wait(delay)
            bench.project.kill_a_worker(rng)

        _raced(bench, faults, kill)
    bench.report.shown("kills amid a race", rounds)
    bench.report.shown("answers cut", faults["cut"])
    bench.report.exactly(OTHERS, faults["odd"], 0)
    bench.report.exactly("races with several winners", faults["winners"], 0)
    bench.report.exactly(STUCK, faults["stuck"], 0)


def _raced(
    bench: Bench, faults: Counter[str], meanwhile: Callable[[], object]
) -> float:
    """Race, have those ask again who got no answer; give the seconds of the race."""
    tokens = bench.project.log_in()
    texts = [tokens["refresh"]] * bench.crowd.count
    race = bench.crowd.refresh(bench.project, texts, meanwhile=meanwhile)
    seconds = perf_counter() - min(race.released)
    again = [bench.project.refresh(texts[0]) for _ in range(race.statuses[0])]
    answers = [each for each in (*race.answers, *again) if each.status]
    statuses = Counter(answer.status for answer in answers)
    bench.report.answers.update(statuses)
    given = [each.json()["refresh"] for each in answers if each.status == 200]
    several = len(set(given)) > 1 or (not bench.repeats and len(given) > 1)
    faults["cut"] += race.statuses[0]
    faults["odd"] += others(statuses, 200, bench.late)
    faults["winners"] += several
    faults["stuck"] += not _ends_well(bench, tokens, given)
    return seconds


def _ends_well(bench: Bench, tokens: dict[str, str], given: list[str]) -> bool:
    """Tell whether the session goes on, or is refused for good where it cannot."""
    if given:
        return goes_on(bench, given[0])
    if bench.repeats:
        return False
    # The one answer was cut: nobody has the successor.
    sid = sid_of(tokens["access"])
    harmless = bench.project.age(sid, GRACE + 1)
    refused = bench.project.refresh(tokens["refresh"])
    return harmless and refused.status == 401 and not bench.project.age(sid)
