"""What a probe is, and what it finds."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

__all__ = [
    "LARGE",
    "Context",
    "Examination",
    "Finding",
    "Probe",
    "Status",
    "Subject",
    "View",
    "some",
]

#: Rows of a table that nobody should count for each page.
LARGE: Final = 1_000_000
#: Names that are told; of more, their number.
_NAMED: Final = 5


class Status(StrEnum):
    """What a finding means."""

    OK = "ok"
    #: Something fails, or will.
    RISK = "risk"
    #: Nothing is known, since there was nothing to look at.
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One look at one thing.

    `id` is stable, as `caches.atomic`; `subject` is what was looked at, such as the
    alias of a cache. Each risk has a remedy; what is in order may have a hint there.
    """

    id: str
    subject: str
    status: Status
    seen: str
    remedy: str = ""

    @property
    def probe(self) -> str:
        """The name of its probe."""
        return self.id.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at; makes the findings about it."""

    name: str

    def ok(self, finding: str, seen: str, hint: str = "") -> Finding:
        """Tell that something is in order."""
        return Finding(finding, self.name, Status.OK, seen, hint)

    def risk(self, finding: str, seen: str, remedy: str) -> Finding:
        """Tell of a risk, and what to do."""
        return Finding(finding, self.name, Status.RISK, seen, remedy)

    def skipped(self, finding: str, seen: str) -> Finding:
        """Tell why nothing is known."""
        return Finding(finding, self.name, Status.SKIPPED, seen)


def some(names: list[str]) -> str:
    """Give the first of some names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


class View(Protocol):
    """A view of the URL configuration, as far as its class declares it."""

    def get(self, name: str, default: Any = None) -> Any:
        """Give an attribute as an instance would have it."""
        ...

    @property
    def rows(self) -> Any:
        """The queryset, if one is declared."""
        ...


def _no_views() -> Iterable[View]:
    return ()


@dataclass(frozen=True, slots=True)
class Context:
    """What probes are given.

    `databases` are aliases; `lists` gives the views that answer with lists; `timeout`
    is in seconds, for each thing that is looked at.
    """

    databases: tuple[str, ...] = ()
    lists: Callable[[], Iterable[View]] = _no_views
    timeout: float = 10.0
    large: int = LARGE


@dataclass(frozen=True, slots=True)
class Examination:
    """One thing that a probe looks at; `run` gives its findings as it has them."""

    subject: str
    run: Callable[[], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Probe:
    """A name, what its findings are about, and what it looks at.

    `findings` has each id with what it tells, as the reference shows it.
    """

    name: str
    about: str
    findings: Mapping[str, str]
    examinations: Callable[[Context], Iterable[Examination]] = field(repr=False)
