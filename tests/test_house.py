"""The house rules that no linter knows: sizes, docstrings, imports, secrets."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "drf_apikit"
MODULES: Final = sorted(
    path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts
)

MAX_MODULE: Final = 300
MAX_FUNCTION: Final = 40
P95_FUNCTION: Final = 22
MAX_TYPE_IGNORES: Final = 5

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def functions_of(path: Path) -> Iterator[Function]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, Function):
            yield node


def code_lines(function: Function) -> int:
    """Count the lines of a function without its docstring."""
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    text = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - text


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        return [p for p in ROOT.rglob("*") if p.is_file() and ".git" not in p.parts]
    return [ROOT / line for line in listed.stdout.splitlines()]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_stays_readable(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MAX_MODULE


def test_functions_stay_short() -> None:
    sizes = {
        f"{name_of(path)}:{function.name}": code_lines(function)
        for path in MODULES
        for function in functions_of(path)
    }
    too_long = {name: size for name, size in sizes.items() if size > MAX_FUNCTION}
    assert not too_long
    assert quantiles(sizes.values(), n=20)[-1] <= P95_FUNCTION


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is_and_what_it_gives(path: Path) -> None:
    tree = tree_of(path)
    assert ast.get_docstring(tree)
    assigned = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    assert "__all__" in assigned


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_function_imports_our_own_modules(path: Path) -> None:
    inside = [
        ast.unparse(node)
        for function in functions_of(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and "drf_apikit" in ast.unparse(node)
    ]
    assert not inside


def test_what_may_fail_after_a_commit_has_a_name() -> None:
    """Django 5.2 logs the `__qualname__` of it, and fails where there is none."""
    odd = [
        name_of(path)
        for path in MODULES
        for function in functions_of(path)
        if "robust=True" in ast.unparse(function)
        and "partial(" in ast.unparse(function).partition("on_commit")[0]
    ]
    assert not odd


def test_lints_and_types_are_not_silenced() -> None:
    text = "\n".join(path.read_text("utf-8") for path in MODULES)
    assert "noqa" not in text
    assert text.count("type: ignore") <= MAX_TYPE_IGNORES


def test_no_file_tells_of_a_machine_or_a_secret() -> None:
    forbidden = re.compile(
        rb"(?<![\w.])/(?:root|home|opt|work)/[a-z]"
        rb"|-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}"
    )
    found = [
        name_of(path)
        for path in tracked_files()
        if path.is_file()
        and path != Path(__file__)
        and forbidden.search(path.read_bytes())
    ]
    assert not found
