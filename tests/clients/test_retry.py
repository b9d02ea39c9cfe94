import io
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from drf_apikit.clients import ClientCredentials
from tests.clients.conftest import World
from tests.clients.servers import Api, Asked, Endpoint, Reply
from tests.oidc.caches import Memory
from tests.oidc.provider import Clock


@pytest.fixture
def session(credentials: ClientCredentials) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.auth = credentials
        yield made


@pytest.mark.parametrize("stream", [False, True])
def test_a_401_is_retried_once_with_another_token(
    session: requests.Session, api: Api, endpoint: Endpoint, stream: bool
) -> None:
    api.good.remove("token-1")
    answer = session.put(f"{api.url}/x?y", data=b"body", stream=stream)
    assert (answer.status_code, answer.content) == (200, b"body")
    assert answer.request.headers["Authorization"] == "Bearer token-2"
    assert api.tokens == ["token-1", "token-2"]
    assert {(one.method, one.path, one.body) for one in api.asked} == {
        ("PUT", "/x?y", b"body")
    }
    (first,) = answer.history
    assert first.status_code == 401
    # It is closed; a stream was not read, since nobody knows its end.
    assert first.content == (b"" if stream else b"who are you?")
    assert first.raw.closed
    assert session.get(api.url).status_code == 200
    assert endpoint.requests == 2


def test_the_connection_is_used_again(session: requests.Session, api: Api) -> None:
    api.good.remove("token-1")
    assert session.get(api.url).status_code == 200
    assert {one.lane for one in api.asked} == {0}


def test_one_retry_is_all(
    session: requests.Session, api: Api, endpoint: Endpoint, clock: Clock
) -> None:
    """An API that refuses whatever comes does not make us fetch all the time."""
    api.good.clear()
    answer = session.get(api.url)
    assert (answer.status_code, answer.content) == (401, b"who are you?")
    assert [one.status_code for one in answer.history] == [401]
    for _ in range(5):
        assert session.get(api.url).history == []
    assert endpoint.requests == 2
    clock.now += 30
    assert len(session.get(api.url).history) == 1
    assert endpoint.requests == 3


def test_another_process_may_have_renewed_it_already(
    session: requests.Session,
    api: Api,
    endpoint: Endpoint,
    world: World,
    shared: Memory,
) -> None:
    assert shared.values == {}
    one, other = world.process(), world.process()
    tokens = []
    for process in (one, other):
        world.use(process)
        tokens.append(session.get(api.url).request.headers["Authorization"])
    api.good.remove("token-1")
    for process in (one, other):
        world.use(process)
        answer = session.get(api.url)
        tokens.append(answer.request.headers["Authorization"])
        assert len(answer.history) == 1
    assert tokens == [*["Bearer token-1"] * 2, *["Bearer token-2"] * 2]
    assert endpoint.requests == 2


def test_no_other_token_no_retry(
    session: requests.Session, api: Api, endpoint: Endpoint
) -> None:
    assert session.get(api.url).status_code == 200
    api.good.clear()
    endpoint.fail()
    answer = session.get(api.url)
    assert (answer.status_code, answer.history) == (401, [])
    assert answer.content == b"who are you?"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", ["another port", "another name"])
def test_a_redirect_to_a_stranger_has_no_token_and_no_retry(
    session: requests.Session,
    api: Api,
    endpoint: Endpoint,
    elsewhere: Api,
    status: int,
    place: str,
) -> None:
    strangers = {
        "another port": elsewhere.url,
        "another name": api.url.replace("127.0.0.1", "localhost"),
    }
    target = Reply(status, headers={"Location": f"{strangers[place]}/there"})
    api.then = lambda _: target
    answer = session.get(api.url)
    assert (answer.status_code, answer.url) == (401, f"{strangers[place]}/there")
    assert [one.status_code for one in answer.history] == [status]
    assert [*api.tokens, *elsewhere.tokens] == ["token-1", ""]
    assert endpoint.requests == 1


def test_a_token_that_is_the_callers_own_is_not_replaced(
    session: requests.Session, elsewhere: Api, endpoint: Endpoint
) -> None:
    """A hook of the caller's may have changed what is sent."""
    request = session.prepare_request(requests.Request("GET", elsewhere.url))
    request.headers["Authorization"] = "Basic b3duOm93bg=="
    assert session.send(request).history == []
    assert endpoint.requests == 1


@pytest.mark.parametrize("status", [303, 307])
def test_a_redirect_within_the_api_is_followed_with_a_good_token(
    session: requests.Session, api: Api, status: int
) -> None:
    api.good.remove("token-1")

    def then(asked: Asked) -> Reply:
        if asked.path == "/there":
            return Reply(body=asked.method.encode())
        return Reply(status, headers={"Location": "/there"})

    api.then = then
    answer = session.post(f"{api.url}/here", data=b"body")
    assert answer.content == (b"GET" if status == 303 else b"POST")
    # requests redirects what it was given, with the old token.
    assert [one.path for one in api.asked] == ["/here", "/here", "/there", "/there"]
    assert api.tokens == ["token-1", "token-2"] * 2


class Pipe(io.BytesIO):
    """What can be read once."""

    def seek(self, *_: Any) -> int:
        raise OSError("not seekable")


class Closing(io.BytesIO):
    """What is closed when it was read."""

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        if not piece:
            self.close()
        return piece


class Unwilling(io.BytesIO):
    """What does not tell where it is."""

    def tell(self) -> int:
        raise OSError("nobody knows")


def file_in_its_middle() -> io.BytesIO:
    file = io.BytesIO(b"-- body")
    file.seek(3)
    return file


def pieces() -> Iterator[bytes]:
    yield from (b"bo", b"dy")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(lambda: "body", id="text"),
        pytest.param(lambda: b"body", id="octets"),
        pytest.param(file_in_its_middle, id="file"),
    ],
)
def test_a_body_is_sent_again(
    session: requests.Session, api: Api, body: Callable[[], Any]
) -> None:
    api.good.remove("token-1")
    assert session.post(api.url, data=body()).content == b"body"
    assert [one.body for one in api.asked] == [b"body"] * 2


@pytest.mark.parametrize("members", [{"json": {"a": 1}}, {"files": {"a": b"body"}}])
def test_what_requests_encodes_is_sent_again(
    session: requests.Session, api: Api, members: dict[str, Any]
) -> None:
    api.good.remove("token-1")
    assert session.post(api.url, **members).status_code == 200
    first, second = (one.body for one in api.asked)
    assert first == second != b""


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(pieces, id="generator"),
        pytest.param(lambda: Pipe(b"body"), id="not seekable"),
        pytest.param(lambda: Closing(b"body"), id="closed"),
        pytest.param(lambda: Unwilling(b"body"), id="not telling"),
    ],
)
def test_what_cannot_be_sent_again_is_not(
    session: requests.Session, api: Api, endpoint: Endpoint, body: Callable[[], Any]
) -> None:
    """The next call has another token, though."""
    api.good.remove("token-1")
    answer = session.post(api.url, data=body())
    assert (answer.status_code, answer.history) == (401, [])
    assert [one.body for one in api.asked] == [b"body"]
    assert session.post(api.url, data=body()).content == b"body"
    assert endpoint.requests == 2


def test_hooks_of_the_caller_see_the_last_answer(
    session: requests.Session, api: Api
) -> None:
    api.good.remove("token-1")
    seen: list[int] = []
    hooks = {"response": lambda answer, **_: seen.append(answer.status_code)}
    assert session.get(api.url, hooks=hooks).status_code == 200
    assert seen == [200]


def test_an_answer_that_breaks_off_is_retried(
    session: requests.Session, api: Api
) -> None:
    """What an answer says that is of no use is of no use either."""
    api.good.remove("token-1")
    headers = {"Content-Encoding": "gzip"}
    api.refusal = Reply(401, b"no gzip", headers)
    answer = session.get(api.url)
    assert (answer.status_code, answer.history[0].raw.closed) == (200, True)


def test_a_stream_that_does_not_end_is_not_read(
    session: requests.Session, api: Api
) -> None:
    api.good.remove("token-1")
    api.refusal = Reply(401, headers={"Content-Length": "1000000"})
    with session.get(api.url, stream=True, timeout=30) as answer:
        assert (answer.status_code, len(answer.history)) == (200, 1)


def test_the_timeout_holds_for_the_retry(session: requests.Session, api: Api) -> None:
    api.good.remove("token-1")
    let_go = threading.Event()

    def hang(_: Asked) -> Reply:
        let_go.wait(30)
        return Reply()

    api.then = hang
    with pytest.raises(requests.Timeout):
        session.get(api.url, timeout=0.3)
    let_go.set()
    assert api.tokens == ["token-1", "token-2"]


class Trusting(requests.Session):
    """One that takes the token wherever it is led."""

    def rebuild_auth(self, *_: Any) -> None:
        """Leave the header as it is."""


def test_no_stranger_makes_us_send_another_token(
    credentials: ClientCredentials, api: Api, endpoint: Endpoint, elsewhere: Api
) -> None:
    api.then = lambda _: Reply(307, headers={"Location": elsewhere.url})
    with Trusting() as session:
        answer = session.get(api.url, auth=credentials)
    assert answer.status_code == 401
    assert elsewhere.tokens == ["token-1"]
    assert endpoint.requests == 1
