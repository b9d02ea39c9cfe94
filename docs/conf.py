"""The documentation: Sphinx, furo and MyST; no page asks an outside host."""

import os
import sys
from pathlib import Path

import django
from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "docs_settings")
django.setup()

import drf_apikit

project = "drf-apikit"
author = "The drf-apikit authors"
project_copyright = "2026, the drf-apikit authors"
release = version = drf_apikit.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "apikit_reference",
]
exclude_patterns = ["_build", "_ext"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
default_role = "code"

html_theme = "furo"
html_title = "drf-apikit"
html_static_path = ["_static"]
html_css_files = ["tables.css"]

nitpick_ignore_regex = [
    # What other projects define; their inventories would have to be fetched.
    (r"py:.*", r"(?!drf_apikit\.).*"),
]


def _literal_blocks(
    _app: object,
    _what: str,
    _name: str,
    _obj: object,
    _options: object,
    lines: list[str],
) -> None:
    """Show what a docstring indents after a paragraph as code, as it is meant."""
    for index in range(len(lines) - 2, 0, -1):
        before, gap, after = lines[index - 1 : index + 2]
        if before[:1].strip() and not gap.strip() and after.startswith("    "):
            if before.endswith(":"):
                lines[index - 1] = f"{before}:"
            else:
                lines[index:index] = ["", "::"]


def setup(app: Sphinx) -> None:
    """Connect what needs no extension of its own."""
    app.connect("autodoc-process-docstring", _literal_blocks)
