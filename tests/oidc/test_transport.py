import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from drf_apikit.oidc.transport import Reply, send
from tests.oidc.provider import Answer, Provider, as_json, as_text

#: Octets.
MOST = 1000


def get(url: str, timeout: float = 10, **options: Any) -> Reply:
    settled = {"headers": {}, "body": None, "max_size": MOST, **options}
    return send("GET", url, timeout=timeout, **settled)


def ask(provider: Provider, answer: Answer, timeout: float = 10) -> Reply:
    provider.answers["/x"] = answer
    return get(f"{provider.url}/x", timeout)


def test_an_answer_is_given_as_it_is(provider: Provider) -> None:
    reply = ask(provider, as_json({"a": 1}, {"Cache-Control": "max-age=5"}))
    assert reply.status == 200
    assert reply.body == b'{"a": 1}'
    assert reply.headers["Cache-Control"] == "max-age=5"
    (sent,) = provider.headers
    assert sent["Accept-Encoding"] == "identity"
    assert sent.keys().isdisjoint({"Authorization", "Cookie"})


@pytest.mark.parametrize("status", [201, 302, 400, 404, 429, 503])
def test_the_body_of_any_status_is_read(provider: Provider, status: int) -> None:
    reply = ask(provider, as_text(status, "no", {"Location": "/y"}))
    assert (reply.status, reply.body) == (status, b"no")
    assert provider.requests == ["/x"]


@pytest.mark.parametrize("size", [MOST - 1, MOST, MOST + 1, 50 * MOST])
def test_no_more_is_read_than_shows_that_it_is_too_much(
    provider: Provider, size: int
) -> None:
    assert len(ask(provider, as_text(200, "x" * size)).body) == min(size, MOST + 1)


def test_no_more_of_a_redirect_is_read_either(provider: Provider) -> None:
    """Although requests would read all of it, if it might lead somewhere."""
    done = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /y\r\n\r\n" + b"x" * 2000)
        handler.wfile.flush()
        assert done.wait(30)
        handler.close_connection = True

    reply = ask(provider, answer)
    assert (reply.status, len(reply.body)) == (302, MOST + 1)
    done.set()


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"y", id="header"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", id="headers"),
        pytest.param(b"HT", b"T", id="status"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", id="interim"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b" ", id="body"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1;x\r\n \r\n",
            id="chunks",
        ),
    ],
)
def test_a_trickle_is_cut_whatever_trickles(
    provider: Provider, head: bytes, piece: bytes
) -> None:
    """And the thread that reads it does not stay behind."""
    cut = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        try:
            handler.wfile.write(head)
            while not provider.stopped.wait(0.01):
                handler.wfile.write(piece)
        finally:
            cut.set()

    with pytest.raises(TimeoutError):
        ask(provider, answer, 0.1)
    assert cut.wait(10)
    assert not provider.stopped.is_set()
    for thread in threading.enumerate():
        if thread.name == "drf_apikit fetch":
            thread.join(10)
            assert not thread.is_alive()


def test_a_name_that_is_looked_up_for_long_counts(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the name is found at last, nobody is asked any more."""
    found, connected = threading.Event(), threading.Event()
    look_up = socket.getaddrinfo
    address = provider.url.removeprefix("http://127.0.0.1:")

    def slow(*_: object, **__: object) -> object:
        assert found.wait(30)
        connected.set()
        return look_up("127.0.0.1", address, type=socket.SOCK_STREAM)

    with monkeypatch.context() as slowly:
        slowly.setattr(socket, "getaddrinfo", slow)
        with pytest.raises(TimeoutError):
            get(f"http://localhost:{address}/x", 0.05)
        threads = [t for t in threading.enumerate() if t.name == "drf_apikit fetch"]
        found.set()
        for thread in threads:
            thread.join(10)
    assert connected.is_set()
    assert provider.requests == []


def test_without_an_answer_to_the_handshake_there_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(TimeoutError):
            get(f"https://127.0.0.1:{port}/", 0.1)
        connection, _ = server.accept()
        with connection:
            connection.settimeout(10)
            # All of the greeting, and then the end.
            while connection.recv(4096):
                pass


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Name a proxy in the environment; gives what it is asked, which it refuses."""
    asked: list[bytes] = []

    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            asked.append(connection.recv(4096))
            connection.sendall(b"HTTP/1.1 403 No\r\n\r\n")

    for name in ("no_proxy", "NO_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", url)
        monkeypatch.setenv("HTTP_PROXY", url)
        thread = threading.Thread(target=serve, args=[server], daemon=True)
        thread.start()
        yield asked


def test_a_proxy_is_used_for_https(proxy: list[bytes]) -> None:
    with pytest.raises(OSError, match="Tunnel connection failed: 403"):
        get("https://id.example/keys")
    (asked,) = proxy
    assert asked.startswith(b"CONNECT id.example:443 HTTP/1")


def test_no_proxy_is_used_for_this_machine(
    proxy: list[bytes], provider: Provider
) -> None:
    assert ask(provider, as_json({})).status == 200
    assert proxy == []


def test_a_proxy_of_another_kind_is_asked_as_requests_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises((OSError, ValueError)):
        get("https://id.example/keys")


def test_no_credentials_are_found_in_files(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    ask(provider, as_json({}))
    assert "Authorization" not in provider.headers[0]
