import re
from collections.abc import Iterator
from typing import Any

import pytest

from drf_apikit.doctor import registry
from drf_apikit.doctor.findings import Context, Examination, Finding, Probe, Subject
from drf_apikit.doctor.registry import PROBES, chosen, known_names
from drf_apikit.doctor.running import GENERAL


def finding_things(*ids: str) -> Any:
    def run() -> Iterator[Finding]:
        for one in ids:
            yield Subject("thing").ok(one, "seen")

    return lambda _: [Examination("thing", run)]


@pytest.fixture(autouse=True)
def _probes(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = {
        "a": ["a.one", "a.two"],
        "b": ["b.one", "b.failed"],
        "c": ["c.nothing"],
    }
    made = {
        name: Probe(name, "", dict.fromkeys(own, ""), finding_things(*own))
        for name, own in ids.items()
    }
    monkeypatch.setattr(registry, "PROBES", made)


@pytest.mark.parametrize(
    ("only", "skip", "told"),
    [
        ([], [], ["a.one", "a.two", "b.one", "b.failed", "c.nothing"]),
        (["a"], [], ["a.one", "a.two"]),
        (["b", "a"], [], ["a.one", "a.two", "b.one", "b.failed"]),
        (["a.two"], [], ["a.two"]),
        (["a.two", "b.one"], [], ["a.two", "b.one", "b.failed"]),
        ([], ["a"], ["b.one", "b.failed", "c.nothing"]),
        ([], ["a.one", "b.failed"], ["a.two", "b.one", "c.nothing"]),
        (["a"], ["a.one"], ["a.two"]),
        (["a"], ["a"], []),
    ],
    ids=str,
)
def test_probes_and_findings_are_chosen(
    only: list[str], skip: list[str], told: list[str]
) -> None:
    assert [one.id for one in chosen(Context(), only, skip)] == told


def test_names_are_known() -> None:
    assert {"a", "a.one", "b.failed", "c.timeout"} <= known_names()
    assert "d" not in known_names()


def test_the_probes_say_what_they_find() -> None:
    for name, probe in PROBES.items():
        assert probe.name == name
        assert re.fullmatch("[a-z]+", name)
        assert probe.about.endswith(".")
        for one, text in probe.findings.items():
            assert re.fullmatch(rf"{name}\.[a-z0-9_]+", one)
            assert text
            assert one.partition(".")[2] not in GENERAL
