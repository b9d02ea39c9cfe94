"""A real browser for the pages."""

from collections.abc import Iterator

import pytest

from tests.conftest import Services
from tests.e2e.browser import Browser, executable


@pytest.fixture(scope="session")
def chromium(
    services: Services, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    program = executable()
    if program is None:
        services.refuse("chromium", "there is no chromium on the path")
    with Browser(program, tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    chromium.requested.clear()
    chromium.send("Emulation.clearDeviceMetricsOverride")
    chromium.speak("en")
    chromium.prefer("light")
    return chromium
