"""The reference of the doctor lists what there is."""

import json
import re
from pathlib import Path
from typing import Final

from django.core.management import CommandParser, load_command_class
from jsonschema import Draft202012Validator

from drf_apikit.doctor.registry import PROBES, known_names
from drf_apikit.doctor.report import FORMAT, SCHEMA
from drf_apikit.doctor.running import GENERAL

DOCS: Final = Path(__file__).parents[2] / "docs"
REFERENCE: Final = (DOCS / "reference/doctor.md").read_text("utf-8")
GUIDE: Final = (DOCS / "how-to/run-the-doctor.md").read_text("utf-8")
SECTION: Final = re.compile(r"^## (\w+)\n\n(.*?)\n\n\|", re.MULTILINE | re.DOTALL)
ROW: Final = re.compile(r"^\| `([a-z]+\.[a-z_0-9]+)` \| (.*) \|$", re.MULTILINE)


def test_the_reference_has_each_probe() -> None:
    sections = {
        name: " ".join(text.split()) for name, text in SECTION.findall(REFERENCE)
    }
    probes = {name: probe.about for name, probe in PROBES.items()}
    assert {name: sections.get(name) for name in probes} == probes


def test_the_reference_has_each_finding_and_no_other() -> None:
    found = {
        name: text for probe in PROBES.values() for name, text in probe.findings.items()
    }
    assert dict(ROW.findall(REFERENCE)) == found
    for end in GENERAL:
        assert f"| `PROBE.{end}` |" in REFERENCE


def test_the_reference_has_each_option() -> None:
    options = [
        set(re.findall("--[a-z-]+", parser_of(name).format_help()))
        for name in ("apikit_doctor", "apikit_problems")
    ]
    documented = re.findall(r"^\| `(--[a-z]+)[ `]", REFERENCE, re.MULTILINE)
    assert set(documented) == options[0] - options[1]


def parser_of(command: str) -> CommandParser:
    return load_command_class("drf_apikit", command).create_parser("", "")


def test_the_document_in_the_reference_is_one() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", REFERENCE, re.DOTALL)
    shown = json.loads(text)
    Draft202012Validator(SCHEMA).validate(shown)
    assert {one["id"] for one in shown["findings"]} <= known_names()
    assert f"`format` is {FORMAT}." in REFERENCE


def test_the_guide_names_what_there_is() -> None:
    named = set(re.findall(r"--(?:only|skip) ([a-z._]+)", GUIDE))
    named |= set(re.findall(r"^([a-z]+\.[a-z_]+) ", GUIDE, re.MULTILINE))
    assert len(named) == 7
    assert named <= known_names()
