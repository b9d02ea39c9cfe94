from collections.abc import Iterator
from typing import Any

import pytest

from tests.tokens.sessions.families import STRICTER, connected, listening


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
