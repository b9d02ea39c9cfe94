"""Under ASGI: a client that goes away stops neither the effect nor its answer."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Final, TypeVar

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponseBase, StreamingHttpResponse
from pytest_django import DjangoDbBlocker, Settings
from rest_framework.request import Request

from drf_apikit.models import ExternalIdentity, IdempotencyRecord
from drf_apikit.testing import InMemoryIssuer
from tests.app.models import Article
from tests.databases import in_threads
from tests.idempotency.calls import person
from tests.idempotency.matrix_world import cleaned
from tests.idempotency.views import Script, created

SECONDS: Final = 20.0
JSON: Final = b'{"amount": 1}'

T = TypeVar("T")
Answer = tuple[int, dict[str, str], bytes]

pytestmark = pytest.mark.urls("tests.idempotency.urls")


@pytest.fixture(autouse=True)
def committed(
    everywhere: str, django_db_blocker: DjangoDbBlocker, settings: Settings
) -> Iterator[str]:
    """Commit, and leave nothing."""
    settings.MIDDLEWARE = []
    with django_db_blocker.unblock(), cleaned():
        yield everywhere


@pytest.fixture
def token(oidc_issuer: InMemoryIssuer) -> str:
    ExternalIdentity.objects.create(
        issuer=oidc_issuer.issuer, subject="ada", user=person("ada")
    )
    return oidc_issuer.authorization("ada")


def asking(token: str) -> Any:
    """Make a client that has not sent anything yet."""
    headers = {
        "authorization": token,
        "content-type": "application/json",
        "content-length": str(len(JSON)),
        "idempotency-key": "key-1",
        "host": "testserver",
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/function/",
        "query_string": b"",
        "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
    }
    communicator: Any = ApplicationCommunicator
    return communicator(ASGIHandler(), scope)


async def send(token: str) -> Answer:
    """Send a request and read the answer to its end."""
    client = asking(token)
    await client.send_input({"type": "http.request", "body": JSON})
    start = await client.receive_output(SECONDS)
    body, more = b"", True
    while more:
        part = await client.receive_output(SECONDS)
        body += part.get("body", b"")
        more = part.get("more_body", False)
    await client.wait(SECONDS)
    headers = {name.decode(): text.decode() for name, text in start["headers"]}
    return start["status"], headers, body


async def disconnect(client: Any) -> None:
    """Go away, and let the server see to it."""
    await client.send_input({"type": "http.disconnect"})
    # The view waits, so a few turns of the loop are all that there is to do.
    for _ in range(20):
        await asyncio.sleep(0)
    assert client.input_queue.empty()


def serve(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a server's loop, in a thread and with connections of its own."""

    def run() -> T:
        return asyncio.run(work())

    return in_threads(run)[0]


def test_a_retry_is_replayed(token: str, script: type[Script]) -> None:
    async def work() -> list[Answer]:
        return [await send(token), await send(token)]

    (status, headers, body), again = serve(work)
    assert status == 201
    assert json.loads(body)["articles"] == 1
    assert (again[0], again[2]) == (status, body)
    assert again[1]["Location"] == headers["Location"]
    assert "Idempotent-Replayed" not in headers
    assert again[1]["Idempotent-Replayed"] == "true"
    assert script.entered == ["key-1"]


class Slow:
    """A view that goes on when it is let, and tells when it is done."""

    def __init__(self) -> None:
        self.entered, self.released = threading.Event(), threading.Event()

    def __call__(self, request: Request) -> HttpResponseBase:
        self.entered.set()
        assert self.released.wait(SECONDS)
        return created(request)


def test_a_client_that_goes_away_while_the_view_runs(
    token: str, script: type[Script]
) -> None:
    slow = Slow()
    script.answer = staticmethod(slow)

    async def leave() -> list[Any]:
        client = asking(token)
        await client.send_input({"type": "http.request", "body": JSON})
        assert await asyncio.to_thread(slow.entered.wait, SECONDS)
        await disconnect(client)
        # The server knows; the view runs on, in its thread.
        slow.released.set()
        await client.wait(SECONDS)
        return [client.output_queue.empty(), await send(token), await send(token)]

    silent, first, second = serve(leave)
    assert silent
    for status, headers, body in (first, second):
        assert (status, json.loads(body)["articles"]) == (201, 1)
        assert headers["Idempotent-Replayed"] == "true"
    assert script.entered == ["key-1"]
    assert Article.objects.count() == IdempotencyRecord.objects.count() == 1


def test_a_client_that_goes_away_before_its_body_was_sent(
    token: str, script: type[Script]
) -> None:
    async def leave() -> Answer:
        client = asking(token)
        part = {"type": "http.request", "body": JSON[:5], "more_body": True}
        await client.send_input(part)
        await client.send_input({"type": "http.disconnect"})
        await client.wait(SECONDS)
        assert client.output_queue.empty()
        return await send(token)

    status, headers, _ = serve(leave)
    assert status == 201
    assert "Idempotent-Replayed" not in headers
    assert script.entered == ["key-1"]


def stream(count: int) -> Callable[[Request], HttpResponseBase]:
    """Make a view whose answer is an asynchronous stream, of its server's loop."""

    async def chunks(loop: asyncio.AbstractEventLoop) -> AsyncIterator[bytes]:
        for _ in range(count):
            await asyncio.sleep(0)
            # Whoever reads on does so where it has begun.
            assert asyncio.get_running_loop() is loop
            yield b"0123456789"

    def view(_request: Request) -> HttpResponseBase:
        return StreamingHttpResponse(chunks(LOOPS[-1]))

    return view


LOOPS: Final[list[asyncio.AbstractEventLoop]] = []


@pytest.mark.parametrize(("count", "status"), [(10, 200), (11, 409)])
def test_an_asynchronous_stream(
    count: int, status: int, token: str, script: type[Script], settings: Settings
) -> None:
    settings.DRF_APIKIT = {**settings.DRF_APIKIT, "IDEMPOTENCY": {"MAX_BODY": 100}}
    script.answer = staticmethod(stream(count))

    async def work() -> list[Answer]:
        LOOPS.append(asyncio.get_running_loop())
        return [await send(token), await send(token)]

    first, second = serve(work)
    assert (first[0], first[2]) == (200, b"0123456789" * count)
    assert second[0] == status
    assert second[0] == 409 or second[2] == first[2]
    assert script.entered == ["key-1"]
    LOOPS.clear()


def test_a_stream_of_which_the_client_reads_the_beginning_alone(
    token: str, script: type[Script], settings: Settings
) -> None:
    settings.DRF_APIKIT = {**settings.DRF_APIKIT, "IDEMPOTENCY": {"MAX_BODY": 100}}
    script.answer = staticmethod(stream(11))

    async def work() -> Answer:
        LOOPS.append(asyncio.get_running_loop())
        client = asking(token)
        await client.send_input({"type": "http.request", "body": JSON})
        start = await client.receive_output(SECONDS)
        assert start["status"] == 200
        await client.send_input({"type": "http.disconnect"})
        await client.wait(SECONDS)
        return await send(token)

    assert serve(work)[0] == 409
    assert script.entered == ["key-1"]
    assert Article.objects.count() == 1
    LOOPS.clear()
