from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from tests.tokens.sessions.families import STRICTER, connected, listening


@pytest.fixture
def tokens(settings: Settings) -> Callable[..., None]:
    """Give what adds to the section of the settings."""
    section: dict[str, Any] = {}

    def add(**given: Any) -> None:
        section.update(given)
        settings.DRF_APIKIT = {"TOKENS": {**section}}

    add()
    return add


@pytest.fixture
def heard() -> Iterator[list[Any]]:
    """Give what listeners are told."""
    with listening() as told:
        yield told


@pytest.fixture
def stricter(request: pytest.FixtureRequest) -> Iterator[str]:
    """Connect in one of the ways that are not the usual ones."""
    with connected(**STRICTER[request.param][1]):
        yield request.param
