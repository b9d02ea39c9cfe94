"""One provider for the whole run, and browsers that know nobody yet."""

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
    """Whatever a test sends, it may not leave a traceback in the provider's log."""
    before = provider.log.stat().st_size
    yield
    added = provider.log.read_bytes()[before:].decode(errors="replace")
    assert "Internal Server Error" not in added, added
