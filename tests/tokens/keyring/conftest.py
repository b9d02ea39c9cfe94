from collections.abc import Iterator
from typing import Any

import pytest

from drf_apikit.tokens.keyring import forget
from tests.oidc.provider import Clock
from tests.tokens.keyring.rings import NOW


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture(autouse=True)
def _no_ring_of_others(settings: Any) -> Iterator[None]:
    settings.DRF_APIKIT = {}
    forget()
    yield
    forget()
