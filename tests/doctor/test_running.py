import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from drf_apikit.doctor.findings import Context, Examination, Finding, Probe, Subject
from drf_apikit.doctor.running import examine

SUBJECT = Subject("thing")


def probe(*runs: Callable[[], Iterator[Finding]], name: str = "one") -> Probe:
    listed = [Examination("thing", run) for run in runs]
    return Probe(name, "", {}, lambda _: listed)


def good() -> Iterator[Finding]:
    yield SUBJECT.ok("one.good", "seen")


def told(*probes: Probe, timeout: float = 30) -> list[tuple[str, str]]:
    found = examine(probes, Context(timeout=timeout))
    return [(one.id, str(one.status)) for one in found]


def test_findings_come_in_order() -> None:
    def more() -> Iterator[Finding]:
        yield SUBJECT.risk("one.bad", "seen", "remedy")
        yield SUBJECT.skipped("one.unknown", "why")

    assert told(probe(good, more), probe(good)) == [
        ("one.good", "ok"),
        ("one.bad", "risk"),
        ("one.unknown", "skipped"),
        ("one.good", "ok"),
    ]


@pytest.mark.parametrize("error", [ValueError("wrong\nmore"), SystemExit(3)], ids=repr)
def test_what_is_raised_is_a_finding(error: BaseException) -> None:
    def bad() -> Iterator[Finding]:
        yield from good()
        raise error

    first, second, third = examine([probe(bad, good)], Context())
    assert (first.id, third.id) == ("one.good", "one.good")
    assert (second.id, second.subject, second.status) == ("one.failed", "thing", "risk")
    assert second.seen == f"{type(error).__name__}: {str(error).split()[0]}"
    assert second.remedy


def test_what_cannot_be_listed_is_a_finding() -> None:
    def broken(_: Context) -> Any:
        raise LookupError

    (found,) = examine([Probe("one", "", {}, broken)], Context())
    assert (found.id, found.status, found.seen) == ("one.failed", "risk", "LookupError")


def test_nothing_to_look_at_is_told() -> None:
    assert told(probe()) == [("one.nothing", "skipped")]


def test_what_hangs_is_left_and_told() -> None:
    free = threading.Event()

    def hanging() -> Iterator[Finding]:
        yield from good()
        assert free.wait(30)

    def silent() -> Iterator[Finding]:
        assert free.wait(30)
        yield from good()

    findings = list(examine([probe(hanging, silent, good)], Context(timeout=0.1)))
    free.set()
    assert [one.id for one in findings] == [
        *("one.good", "one.timeout", "one.timeout", "one.good"),
    ]
    assert "it hangs after one.good" in findings[1].seen
    assert findings[2].seen == "It did not end in 0.1 seconds; it hangs."


def test_all_that_a_probe_looks_at_is_looked_at_at_once() -> None:
    together = threading.Barrier(3)

    def waiting() -> Iterator[Finding]:
        together.wait(30)
        yield from good()

    assert told(probe(waiting, waiting, waiting)) == [("one.good", "ok")] * 3


def test_nothing_that_is_shown_is_secret_or_harmful(settings: Any) -> None:
    settings.SECRET_KEY = "canary-of-this-test"

    def leaking() -> Iterator[Finding]:
        text = "a canary-of-this-test \x1b[2J b"
        yield Subject(text).risk("one.bad", text, text)

    (found,) = examine([probe(leaking)], Context())
    assert {found.subject, found.seen, found.remedy} == {"a ***  [2J b"}
    assert found.probe == "one"
