from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from drf_apikit.clients import ClientCredentials, tokens
from drf_apikit.clients.tokens import Client, Clients
from tests.clients.servers import Api, Endpoint, serving
from tests.oidc.caches import MEMORY, SETTINGS, Memory
from tests.oidc.provider import Clock

NAME = "billing"


@dataclass
class World:
    """The settings, and processes that have them."""

    settings: Any
    monkeypatch: pytest.MonkeyPatch
    clock: Clock
    entry: dict[str, Any]
    used: list[Client] = field(default_factory=list)

    def configure(self, **members: Any) -> None:
        """Change the entry of the client; None takes a setting away."""
        entry = {**self.entry, **members}
        self.entry = {key: value for key, value in entry.items() if value is not None}
        section = {"CREDENTIALS": {NAME: self.entry}}
        timeouts = {"AUTHENTICATION": {"FETCH_TIMEOUT": 6}}
        self.settings.DRF_APIKIT = {**timeouts, "CLIENTS": section}

    def process(self) -> Clients:
        """Give what another process knows."""
        made = Clients(self.clock)
        self.use(made)
        return made

    def use(self, process: Clients) -> None:
        """Let `ClientCredentials` be in that process."""
        self.monkeypatch.setattr(tokens, "_CLIENTS", process)

    def settle(self) -> None:
        """Wait until nothing is under way in the process that is used."""
        assert tokens.find_client(NAME).token.settle(30)


@pytest.fixture(autouse=True)
def _no_shared_cache(settings: Any) -> None:
    """Leave sharing to the tests that want it."""
    dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    settings.CACHES = {"default": dummy}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint("")
    with serving(made.answer) as made.url:
        yield made


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api("", {f"token-{number}" for number in range(1, 100)})
    with serving(made.answer) as made.url:
        yield made


@pytest.fixture
def elsewhere() -> Iterator[Api]:
    """Give a stranger's server, which refuses everybody."""
    made = Api("")
    with serving(made.answer) as made.url:
        yield made


@pytest.fixture
def world(
    endpoint: Endpoint, clock: Clock, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> World:
    entry = {"CLIENT_ID": "worker", "CLIENT_SECRET": "s3cret-of-the-worker"}
    made = World(settings, monkeypatch, clock, entry)
    made.configure(TOKEN_ENDPOINT=f"{endpoint.url}/token", INSECURE_LOOPBACK_HTTP=True)
    made.process()
    return made


@pytest.fixture
def credentials(world: World) -> Iterator[ClientCredentials]:
    yield ClientCredentials(NAME)
    world.settle()


@pytest.fixture
def shared(clock: Clock, settings: Any) -> Memory:
    """Let all processes share a cache that goes by the clock."""
    MEMORY.reset(clock)
    settings.CACHES = SETTINGS
    return MEMORY
