from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings


@pytest.fixture
def tokens(settings: Settings) -> Callable[..., None]:
    """Give what adds to the section of the settings."""
    section: dict[str, Any] = {}

    def add(**given: Any) -> None:
        section.update(given)
        settings.DRF_APIKIT = {"TOKENS": {**section}}

    add()
    return add
