"""What the page on users and groups tells to write is understood."""

import ast
import re
from pathlib import Path
from typing import Any, Final

import pytest
from django.test import override_settings

from drf_apikit.conf import apikit_settings

PAGE: Final = Path(__file__).parents[2] / "docs/how-to/map-users-and-groups.md"
BLOCKS: Final[list[str]] = re.findall(
    r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL
)
ISSUER: Final = "https://sso.shop.example/realms/shop"


def faults(section: Any) -> list[Any]:
    with override_settings(DRF_APIKIT=section):
        return apikit_settings.faults()


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.startswith("DRF_APIKIT = ")]
)
def test_settings(block: str) -> None:
    assert faults(ast.literal_eval(block.removeprefix("DRF_APIKIT = "))) == []


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.startswith('"')])
def test_settings_of_an_issuer(block: str) -> None:
    own = {"AUDIENCE": "ledger", **ast.literal_eval(f"{{{block}}}")}
    assert faults({"AUTHENTICATION": {"ISSUERS": {ISSUER: own}}}) == []


def test_all_other_blocks_can_be_read() -> None:
    assert len(BLOCKS) == 7
    for block in BLOCKS:
        ast.parse(f"{{{block}}}" if block.startswith('"') else block)
