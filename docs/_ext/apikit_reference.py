"""Directives that write the reference from the code, so that it cannot drift."""

import ast
import dataclasses
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from drf_apikit import problem_types
from drf_apikit.conf import (
    SECTIONS,
    ClientSettings,
    IssuerSettings,
    SigningKeySettings,
    TokenClientSettings,
)
from drf_apikit.problem_types import ProblemType

__all__ = ["setup"]

ROOT = Path(__file__).resolve().parent.parent.parent


class _Generated(SphinxDirective, ABC):
    """Parses Markdown that the code gives."""

    has_content: ClassVar[bool] = False

    @abstractmethod
    def lines(self) -> Iterator[str]: ...

    def run(self) -> list[nodes.Node]:
        source = StringList(list(self.lines()), source=type(self).__name__)
        container = nodes.Element()
        self.state.nested_parse(source, self.content_offset, container)
        return list(container.children)


class SettingsTables(_Generated):
    """A table for each section of `DRF_APIKIT`."""

    def lines(self) -> Iterator[str]:
        for name, section in SECTIONS.items():
            yield from _settings_table(f"`{name}`", section)
        yield from _settings_table("Each entry of `ISSUERS`", IssuerSettings)
        yield from _settings_table("Each entry of `CREDENTIALS`", ClientSettings)
        yield from _settings_table("Each entry of `KEYS`", SigningKeySettings)
        title = "Each entry of `CLIENTS` in `TOKENS`"
        yield from _settings_table(title, TokenClientSettings)


class ProblemTypeTable(_Generated):
    """The problem types of the package."""

    def lines(self) -> Iterator[str]:
        yield "| type | status | title | what happened, what to do | members |"
        yield "|---|---|---|---|---|"
        for kind in vars(problem_types).values():
            if isinstance(kind, ProblemType):
                members = ", ".join(f"`{name}`" for name in kind.extensions)
                yield (
                    f"| `{kind.slug}` | {kind.status} | {kind.title} |"
                    f" {kind.documentation} | {members} |"
                )


class ComplianceTable(_Generated):
    """Which test proves which section, from the markers in the tests."""

    def lines(self) -> Iterator[str]:
        yield "| specification | section | tests |"
        yield "|---|---|---|"
        proofs: dict[tuple[str, str], list[str]] = defaultdict(list)
        for path in sorted((ROOT / "tests").rglob("test_*.py")):
            self.env.note_dependency(str(path))
            for claim in _claims(ast.parse(path.read_text("utf-8"))):
                proofs[claim].append(str(path.relative_to(ROOT)))
        for (spec, section), paths in sorted(proofs.items()):
            files = ", ".join(f"`{path}`" for path in dict.fromkeys(paths))
            yield f"| {spec} | {section} | {files} |"


def _claims(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Find `compliance("RFC 9110", "13.1.1")` wherever it is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            arguments = [
                arg.value for arg in node.args if isinstance(arg, ast.Constant)
            ]
            if node.func.attr == "compliance" and len(arguments) == 2:
                yield str(arguments[0]), str(arguments[1])


def _settings_table(title: str, section: Any) -> Iterator[str]:
    yield f"**{title}**"
    yield ""
    yield "| key | default | meaning |"
    yield "|---|---|---|"
    for field in dataclasses.fields(section):
        meaning = field.metadata["doc"]
        yield f"| `{field.name.upper()}` | {_default(field)} | {meaning} |"
    yield ""


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default is not dataclasses.MISSING:
        value = field.default
        shown = sorted(value) if isinstance(value, frozenset) else value
        return f"`{shown!r}`"
    return "`{}`" if field.default_factory is not dataclasses.MISSING else "mandatory"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("apikit-settings", SettingsTables)
    app.add_directive("apikit-compliance", ComplianceTable)
    app.add_directive("apikit-problem-types", ProblemTypeTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
