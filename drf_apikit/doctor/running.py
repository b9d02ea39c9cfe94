"""Probes are run in time, and whatever goes wrong in one is a finding."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from drf_apikit.doctor.attempts import Attempt
from drf_apikit.doctor.findings import Context, Examination, Finding, Probe, Subject
from drf_apikit.doctor.redaction import redactor
from drf_apikit.oidc.aside import close_connections

__all__ = ["GENERAL", "examine"]

#: What each probe can tell beside its own findings, by the end of the id.
GENERAL: Final[Mapping[str, str]] = {
    "failed": "the probe itself could not go on",
    "timeout": "the probe did not end in time",
    "nothing": "there is nothing to look at",
}


def examine(probes: Iterable[Probe], context: Context) -> Iterator[Finding]:
    """Run probes one after the other; all that one looks at is looked at at once.

    Each takes the time of `context` at the most. What hangs is left to its thread,
    and what it has found by then is told.
    """
    redact = redactor()
    for probe in probes:
        for found in _run(probe, context):
            told, remedy = redact(found.seen), redact(found.remedy)
            subject = redact(found.subject)
            yield replace(found, subject=subject, seen=told, remedy=remedy)


def _run(probe: Probe, context: Context) -> Iterator[Finding]:
    deadline = time.monotonic() + context.timeout
    examinations: list[Examination] = []
    with Attempt() as attempt:
        examinations += probe.examinations(context)
    if attempt.error is not None:
        yield _failed(probe, Subject(""), attempt)
    elif not examinations:
        yield Subject("").skipped(f"{probe.name}.nothing", "There is nothing to see.")
    running = [_Running(probe, one) for one in examinations]
    for one in running:
        yield from one.findings(deadline, context.timeout)


class _Running:
    """An examination in a thread of its own, which the process does not wait for."""

    def __init__(self, probe: Probe, examination: Examination) -> None:
        self._probe = probe
        self._subject = Subject(examination.subject)
        self._found: list[Finding] = []
        name = f"drf_apikit doctor {probe.name}"
        self._thread = threading.Thread(
            target=self._collect, args=[examination.run], name=name, daemon=True
        )
        self._thread.start()

    def findings(self, deadline: float, timeout: float) -> list[Finding]:
        """Give what is found by a deadline."""
        self._thread.join(max(0, deadline - time.monotonic()))
        if not self._thread.is_alive():
            return self._found
        found = list(self._found)
        last = f" after {found[-1].id}" if found else ""
        late = self._subject.risk(
            f"{self._probe.name}.timeout",
            f"It did not end in {timeout:g} seconds; it hangs{last}.",
            "See why it hangs, or give it more time with --timeout.",
        )
        return [*found, late]

    def _collect(self, run: Callable[[], Iterator[Finding]]) -> None:
        # In a thread of its own nothing else would tell of `sys.exit()`.
        with Attempt(BaseException) as attempt:
            self._found.extend(run())
        if attempt.error is not None:
            self._found.append(_failed(self._probe, self._subject, attempt))
        close_connections()


def _failed(probe: Probe, subject: Subject, attempt: Attempt) -> Finding:
    return subject.risk(
        f"{probe.name}.failed",
        attempt.failure,
        "Mend what is raised; what the probe was to look at is not known.",
    )
