"""The page that maps specifications to tests names tests that say the same."""

import ast
import functools
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs/explanation/compliance.md"
ROWS: Final = re.findall(
    r"^\| (.+) (\d[\d.]*) \| (.+) \| (.+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE
)
NAMED: Final = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
TRACED: Final = sorted(
    {
        (spec, section, *found)
        for spec, section, _says, _here, tests in ROWS
        for found in NAMED.findall(tests)
    }
)
#: All that ask for something.
SECTIONS: Final = {
    "RFC 6749": {"3.3", "5.1", "6", "10.4", "10.10"},
    "RFC 9068": {"2.1", "2.2", "2.2.3", "4", "6"},
    "RFC 6750": {"2", "2.1", "2.2", "2.3", "3", "3.1"},
    "RFC 8414": {"2", "3.1"},
    "RFC 8725": {f"3.{number}" for number in range(1, 13)},
    "OIDC Discovery 1.0": {"4.3"},
    "OIDC Core 1.0": {
        *("3.1.2.1", "3.1.2.6", "3.1.3.3", "3.1.3.7", "3.1.3.8", "5.3.2")
    },
    "OIDC RP-Initiated Logout 1.0": {"2", "3"},
    "RFC 7523": {"2.2", "3"},
    "RFC 7636": {"4.1", "4.2", "4.3", "4.5", "4.6"},
    "RFC 9207": {"2.4"},
    "RFC 9700": {
        *("2.1", "2.1.1", "2.1.2", "2.4", "2.5", "2.6"),
        *("4.2", "4.4", "4.5", "4.7", "4.8", "4.11", "4.14.2"),
    },
}


@functools.cache
def claims(path: str) -> dict[str, set[tuple[str, str]]]:
    """Give the `compliance` markers of each test of a file."""
    tree = ast.parse((ROOT / path).read_text())
    return {
        node.name: {
            (str(ast.literal_eval(mark.args[0])), str(ast.literal_eval(mark.args[1])))
            for mark in node.decorator_list
            if isinstance(mark, ast.Call)
            and isinstance(mark.func, ast.Attribute)
            and mark.func.attr == "compliance"
        }
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize(("spec", "section", "path", "name"), TRACED)
def test_a_test_that_is_named_proves_that_section(
    spec: str, section: str, path: str, name: str
) -> None:
    assert (spec, section) in claims(path)[name]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_each_demand_has_a_test(row: tuple[str, ...]) -> None:
    assert NAMED.sub("", row[-1]).replace(", ", "") == ""
    assert NAMED.search(row[-1])


def test_no_section_is_missing() -> None:
    found: dict[str, set[str]] = {}
    for spec, section, *_ in ROWS:
        found.setdefault(spec, set()).add(section)
    assert found == SECTIONS
