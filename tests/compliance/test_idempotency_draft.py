"""The page that maps the draft to tests names tests that are there."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs/explanation/idempotency-draft.md"
NAMED: Final = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())))
ROWS: Final = [
    line for line in PAGE.read_text().splitlines() if re.match(r"\| [2-9]", line)
]


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda part: part)
def test_a_test_that_is_named_is_there(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert name in {function.name for function in functions}


@pytest.mark.parametrize("row", ROWS)
def test_each_demand_has_a_test(row: str) -> None:
    assert "::test_" in row
    assert row.count(" | ") == 3


def test_each_section_of_the_draft_that_asks_for_something_is_there() -> None:
    sections = {row.split(" | ")[0].strip("| ") for row in ROWS}
    assert sections == {"2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", "5"}
