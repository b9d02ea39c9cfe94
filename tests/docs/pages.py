"""The pages about tokens, and the blocks of code on them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["DOCS", "ROOT", "blocks_of", "text_of"]

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
BLOCK: Final = re.compile(r"<!-- test: (\w+) -->\n```python\n(.*?)```", re.DOTALL)
SHOWN: Final = re.compile(r"^```python$", re.MULTILINE)


def text_of(page: str) -> str:
    """Give the source of a page."""
    return (DOCS / page).read_text("utf-8")


def blocks_of(page: str) -> Mapping[str, str]:
    """Give the blocks of a page by name; each of them has one."""
    text = text_of(page)
    blocks = dict(BLOCK.findall(text))
    assert len(blocks) == len(SHOWN.findall(text))
    return blocks
