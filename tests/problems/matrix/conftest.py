from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from django.core import signals
from django.db import close_old_connections

from drf_apikit.logs import ProblemInstanceFilter
from tests.problems.matrix.middleware import Trouble
from tests.problems.matrix.planted import plant
from tests.problems.matrix.wire import PROTOCOLS, Answer, Call

if TYPE_CHECKING:
    from pytest_django import Settings


@pytest.fixture(autouse=True)
def matrix(
    settings: "Settings",
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[None]:
    """The routes, a middleware below all, and records as the example keeps them."""
    settings.ROOT_URLCONF = "tests.problems.matrix.urls"
    trouble = f"{Trouble.__module__}.{Trouble.__qualname__}"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, trouble]
    settings.SECRET_KEY = plant("secret_key") * 5
    monkeypatch.setattr(Trouble, "seen", [])
    monkeypatch.setattr(caplog.handler, "filters", [ProblemInstanceFilter()])
    # As Django's test client: the test's transaction outlives the request.
    for signal in (signals.request_started, signals.request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (signals.request_started, signals.request_finished):
        signal.connect(close_old_connections)


@pytest.fixture(params=PROTOCOLS)
def send(request: pytest.FixtureRequest) -> Callable[[Call], Answer]:
    """Send a call through Django's handler: once over WSGI, once over ASGI."""
    return PROTOCOLS[request.param]
