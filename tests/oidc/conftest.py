from collections.abc import Iterator
from typing import Any

import pytest

from tests.oidc.caches import MEMORY, SETTINGS, Memory
from tests.oidc.provider import Clock, Provider, serving


@pytest.fixture(autouse=True)
def _no_shared_cache(settings: Any) -> None:
    """Leave sharing to the tests that want it."""
    dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    settings.CACHES = {"default": dummy}


@pytest.fixture(autouse=True)
def _short_timeout(settings: Any) -> None:
    settings.DRF_APIKIT = {"AUTHENTICATION": {"FETCH_TIMEOUT": 1}}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def patient(settings: Any) -> None:
    """Give a cache more time than any machine needs, however busy it is."""
    settings.DRF_APIKIT = {"AUTHENTICATION": {"FETCH_TIMEOUT": 6}}


@pytest.fixture
def shared(clock: Clock, settings: Any, patient: None) -> Memory:
    """Let all stores share a cache that goes by the clock."""
    assert patient is None
    MEMORY.reset(clock)
    settings.CACHES = SETTINGS
    return MEMORY


@pytest.fixture
def hasty(shared: Memory, settings: Any) -> Memory:
    """Share a cache, and wait for nothing very long."""
    settings.DRF_APIKIT = {"AUTHENTICATION": {"FETCH_TIMEOUT": 1}}
    return shared
