"""The page of pitfalls names tests and checks that there are."""

import ast
import functools
import re
from pathlib import Path
from typing import Final

import pytest

from drf_apikit.checks.deployment import SECTIONS

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs/explanation/jwt-pitfalls.md").read_text("utf-8")
CHECKS: Final = (ROOT / "docs/reference/checks.md").read_text("utf-8")
PROOFS: Final = "tests/tokens/test_pitfalls.py"
ROWS: Final = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| [A-Z]\d+ \|", line)
]
NAMED: Final = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
CHECK: Final = re.compile(r"`([EW]\d{3})`")
TORTURE: Final = re.compile(r"`python -m (tests\.torture\.\w+)[^`]*`")
#: Where a pitfall is described.
SOURCE: Final = re.compile(r"\((?:CWE-\d+|OWASP \S+|RFC \d{4} sections? \d)[^()]*\)")


@functools.cache
def names_in(path: str) -> set[str]:
    """Give the tests that a file has."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {name for name in names if name.startswith("test_")}


@functools.cache
def told_of() -> set[str]:
    """Give the ids that the code of the checks has."""
    package = ROOT / "drf_apikit"
    modules = [*package.glob("checks/**/*.py"), package / "tokens/checks.py"]
    text = "\n".join(path.read_text("utf-8") for path in modules)
    return set(re.findall(r"\b([EW]\d{3})\b", text))


def test_there_are_many_and_each_has_a_name_of_its_own() -> None:
    assert len(ROWS) >= 60
    numbers = [row[0] for row in ROWS]
    assert len(set(numbers)) == len(numbers)
    assert {len(row) for row in ROWS} == {5}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_says_where_it_is_described_and_what_shows_that_it_is_closed(
    row: list[str],
) -> None:
    number, pitfall, here, tests, checks = row
    assert pitfall.startswith("**")
    # How something is run is no matter of standards.
    assert SOURCE.search(pitfall) or number.startswith("D")
    assert here
    assert NAMED.sub("", TORTURE.sub("", tests)).replace(", ", "") == ""
    assert NAMED.search(tests)
    assert CHECK.sub("", checks).replace(", ", "") in {"", "-"}
    assert checks


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED.findall(PAGE))))
def test_each_test_that_is_named_is_there(path: str, name: str) -> None:
    assert name in names_in(path)


@pytest.mark.parametrize("run", sorted(set(TORTURE.findall(PAGE))))
def test_each_run_that_is_named_is_there(run: str) -> None:
    module = ROOT.joinpath(*run.split("."))
    assert module.with_suffix(".py").exists() or (module / "__main__.py").exists()


@pytest.mark.parametrize("check", sorted(set(CHECK.findall(PAGE))))
def test_each_check_that_is_named_is_there(check: str) -> None:
    assert f"| `drf_apikit.{check}` |" in CHECKS
    assert check in told_of()


def test_each_check_of_a_deployment_is_on_the_page() -> None:
    assert SECTIONS.keys() <= set(CHECK.findall(PAGE))


def test_each_proof_that_was_written_for_the_page_is_on_it() -> None:
    named = {name for path, name in NAMED.findall(PAGE) if path == PROOFS}
    assert named == names_in(PROOFS)
