"""One provider for the whole run, and browsers that know nobody yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.example.identity.browsing import Browser
from tests.example.identity.running import Provider, running_provider


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with running_provider(tmp_path_factory.mktemp("identity")) as provider:
        yield provider


@pytest.fixture
def browser(provider: Provider) -> Iterator[Browser]:
    browser = Browser(provider)
    yield browser
    browser.session.close()


@pytest.fixture(autouse=True)
def _no_faults(provider: Provider) -> Iterator[None]:
    """No test, whatever it sends, may leave a traceback in the provider's log."""
    yield
    log = provider.log.read_text(errors="replace")
    assert "Internal Server Error" not in log, log
