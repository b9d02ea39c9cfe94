"""Sessions that their user ends while many clients refresh them."""

from collections import Counter
from typing import Final

from tests.torture.issuing.project import sid_of
from tests.torture.refresh.races import Bench, others

__all__ = ["ended_amid"]

ENDED: Final = "ends that are not answered with 204"
AFTER: Final = "tokens that are good after it"
ODD: Final = "other answers than 200, 401 and 409"


def ended_amid(bench: Bench, rounds: int) -> None:
    """End a session amid a race for its token: nothing of it is good then."""
    faults: Counter[str] = Counter()
    for _ in range(rounds):
        tokens = bench.project.log_in()
        texts = [tokens["refresh"]] * bench.crowd.count
        ends: list[int] = []

        def end(access: str = tokens["access"], ends: list[int] = ends) -> None:
            ends.append(bench.project.end(access))

        race = bench.crowd.refresh(bench.project, texts, meanwhile=end)
        bench.report.answers.update(race.statuses)
        held = [*set(race.successors), texts[0]]
        later = [bench.project.refresh(text).status for text in held]
        faults[ENDED] += ends != [204]
        faults[ODD] += others(race.statuses, 200, 401, 409)
        faults[AFTER] += len(later) - later.count(401)
        faults[AFTER] += bench.project.age(sid_of(tokens["access"]))
        faults["in time"] += race.statuses[200] > 0
    bench.report.shown("races", rounds)
    bench.report.shown("of them with a winner before the end", faults["in time"])
    for what in (ENDED, ODD, AFTER):
        bench.report.exactly(what, faults[what], 0)
