"""What a run has found: a table, and how many of its rows are not as wanted."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.torture.fleet.fleet import Told

__all__ = ["Report", "Row", "most_within"]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    phase: str
    what: str
    found: float
    wanted: str
    right: bool


@dataclass
class Report:
    """The figures of a run, phase by phase."""

    phase: str = ""
    rows: list[Row] = field(default_factory=list)
    #: How many answers of each status there were.
    answers: Counter[int] = field(default_factory=Counter)
    _began: float = field(default_factory=time.monotonic)

    @property
    def wrong(self) -> int:
        """How many figures are not as wanted."""
        return sum(not row.right for row in self.rows)

    def begin(self, phase: str) -> None:
        """Begin the next phase."""
        self.phase = phase
        print(f"... {phase}", flush=True)

    def lap(self) -> float:
        """Give the seconds since this was asked before."""
        began, self._began = self._began, time.monotonic()
        return self._began - began

    def shown(self, what: str, found: float) -> None:
        """Note a figure that may be any."""
        self.rows.append(Row(self.phase, what, found, "", right=True))

    def exactly(self, what: str, found: float, wanted: float) -> None:
        """Note a figure that is known."""
        self.rows.append(Row(self.phase, what, found, f"{wanted}", found == wanted))

    def most(self, what: str, found: float, limit: float) -> None:
        """Note a figure with an upper limit."""
        self.rows.append(Row(self.phase, what, found, f"<= {limit}", found <= limit))

    def least(self, what: str, found: float, limit: float) -> None:
        """Note a figure with a lower limit."""
        self.rows.append(Row(self.phase, what, found, f">= {limit}", found >= limit))

    def none_but(self, status: int, what: str, told: Iterable[Told]) -> None:
        """Note how many answers have another status than that."""
        statuses = Counter(each.status for each in told)
        self.answers.update(statuses)
        self.shown(f"{what}: answers", statuses.total())
        self.exactly(f"{what}: not {status}", statuses.total() - statuses[status], 0)

    def table(self) -> str:
        """Write all down."""
        lines = ["", "| phase | what | found | wanted | |", "|---|---|---:|---:|---|"]
        last = ""
        for row in self.rows:
            phase, last = ("" if row.phase == last else row.phase), row.phase
            verdict = "" if row.right else "WRONG"
            cells = (phase, row.what, f"{row.found:g}", row.wanted, verdict)
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)


def most_within(seconds: float, times: Sequence[float]) -> int:
    """Give the largest number of events within so many seconds."""
    ordered = sorted(times)
    return max(
        (
            sum(begin <= when < begin + seconds for when in ordered[first:])
            for first, begin in enumerate(ordered)
        ),
        default=0,
    )
