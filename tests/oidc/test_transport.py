import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from drf_apikit.oidc.transport import Reply, send
from tests.oidc.provider import Answer, Provider, as_json, as_text, serving
from tests.oidc.tls import HOST, Proxy, certify, proxying

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


def test_a_body_is_sent_with_its_headers(provider: Provider) -> None:
    provider.answers["/x"] = as_json({})
    sent = {"Content-Type": "text/x", "Authorization": "Basic eDp5", "Accept": "a/b"}
    reply = send(
        "POST",
        f"{provider.url}/x",
        headers=sent,
        body=b"a=b&\xff",
        timeout=10,
        max_size=MOST,
    )
    assert reply.body == b"{}"
    assert provider.bodies == [b"a=b&\xff"]
    (got,) = provider.headers
    assert {name: got[name] for name in sent} == sent
    assert got["Accept-Encoding"] == "identity"
    assert got["Content-Length"] == "5"


def test_nobody_can_ask_for_what_is_compressed(provider: Provider) -> None:
    provider.answers["/x"] = as_json({})
    get(f"{provider.url}/x", headers={"Accept-Encoding": "gzip"})
    assert provider.headers[0]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_what_is_posted_goes_nowhere_else(provider: Provider, status: int) -> None:
    elsewhere = {"Location": f"{provider.url}/y"}
    provider.answers["/x"] = as_text(status, "", elsewhere)
    url = f"{provider.url}/x"
    found = send("POST", url, headers={}, body=b"a", timeout=10, max_size=MOST)
    assert (found.status, found.header("location")) == (status, f"{provider.url}/y")
    assert provider.requests == ["/x"]


def test_what_is_posted_is_sent_once_whatever_happens(provider: Provider) -> None:
    def drop(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.shutdown(socket.SHUT_RDWR)

    provider.answers["/x"] = drop
    url = f"{provider.url}/x"
    with pytest.raises(OSError, match="Connection aborted"):
        send("POST", url, headers={}, body=b"a", timeout=10, max_size=MOST)
    assert provider.bodies == [b"a"]


def test_a_header_is_found_in_any_case() -> None:
    reply = Reply(200, {"retry-AFTER": "1", "X": "2"})
    assert reply.header("Retry-After") == "1"
    assert reply.header("x") == "2"
    assert reply.header("Y") is None


def test_what_is_shown_of_an_answer_has_nothing_of_its_body() -> None:
    assert "hidden" not in repr(Reply(200, {}, b"hidden"))


@pytest.fixture
def certified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Provider, Path]]:
    """Serve over TLS; give the file with the certificate, which nobody trusts yet."""
    names = ("no_proxy", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy")
    for name in (*names, "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    context, certificate = certify(tmp_path)
    with serving(context) as running:
        running.answers["/x"] = as_json({"a": 1})
        yield running, certificate


@pytest.fixture
def trusted(
    certified: tuple[Provider, Path], monkeypatch: pytest.MonkeyPatch
) -> Provider:
    running, certificate = certified
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    return running


def test_certificates_of_the_environment_are_trusted(trusted: Provider) -> None:
    assert get(f"{trusted.url}/x").body == b'{"a": 1}'


def test_others_are_not(certified: tuple[Provider, Path]) -> None:
    running, _ = certified
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        get(f"{running.url}/x")
    assert running.requests == []


@pytest.fixture
def tunnel(trusted: Provider) -> Iterator[Proxy]:
    with proxying(int(trusted.url.rpartition(":")[2])) as running:
        yield running


def test_a_given_proxy_leads_to_a_provider(trusted: Provider, tunnel: Proxy) -> None:
    """And what is sent through it is seen by the provider alone."""
    reply = send(
        "POST",
        f"https://{HOST}/x",
        headers={"Authorization": "Basic eDp5"},
        body=b"secret",
        timeout=10,
        max_size=MOST,
        proxies={"https": tunnel.url.replace("//", "//me:mine@")},
    )
    assert reply.body == b'{"a": 1}'
    assert trusted.bodies == [b"secret"]
    ((line, *fields),) = tunnel.requests
    assert line.startswith(f"CONNECT {HOST}:443 HTTP/1.".encode())
    names = dict(field.lower().split(b": ") for field in fields)
    assert names[b"proxy-authorization"] == b"basic bwu6bwluzq==\r\n"
    assert b"authorization" not in names
    assert "Proxy-Authorization" not in trusted.headers[0]


def test_a_proxy_of_the_environment_leads_there_too(
    trusted: Provider, tunnel: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", tunnel.url)
    assert get(f"https://{HOST}/x").status == 200
    assert (len(tunnel.requests), trusted.requests) == (1, ["/x"])


@pytest.mark.parametrize("given", [{}, {"http": "http://127.0.0.1:1"}], ids=str)
def test_given_proxies_are_all_that_there_are(
    trusted: Provider, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert get(f"{trusted.url}/x", proxies=given).status == 200


def test_a_given_proxy_wins_over_the_environment(
    tunnel: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "*")
    assert get(f"https://{HOST}/x", proxies={"https": tunnel.url}).status == 200
    assert len(tunnel.requests) == 1


def test_a_given_proxy_is_not_used_for_this_machine(provider: Provider) -> None:
    provider.answers["/x"] = as_json({})
    nowhere = dict.fromkeys(("http", "https"), "http://127.0.0.1:1")
    assert get(f"{provider.url}/x", proxies=nowhere).status == 200


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Name a proxy in the environment; gives what it is asked, which it refuses."""
    asked: list[bytes] = []

    def serve(server: socket.socket) -> None:
        try:
            connection, _ = server.accept()
        except OSError:
            # Nobody has come.
            return
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
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


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
