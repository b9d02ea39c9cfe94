import functools
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from drf_apikit.oidc.fetch import (
    MAX_SIZE,
    Document,
    FetchError,
    ask,
    check_url,
    fetch_json,
    parse_object,
)
from drf_apikit.oidc.fetch import fetch as fetch_document
from drf_apikit.oidc.transport import Reply
from tests.databases import in_threads
from tests.oidc.provider import Answer, Provider, as_json, as_text

DOCUMENT = {"keys": [], "é": "\U0001f600"}
#: More octets than a test would wait for, one at a time.
TRICKLE = 500


def fetch(provider: Provider, timeout: float = 2) -> Any:
    return fetch_json(f"{provider.url}/x", timeout=timeout, allow_loopback_http=True)


def failure(provider: Provider, answer: Answer, timeout: float = 2) -> str:
    provider.answers["/x"] = answer
    with pytest.raises(FetchError) as failed:
        fetch(provider, timeout)
    assert provider.requests == ["/x"]
    return str(failed.value)


def raw(*lines: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"\r\n".join(lines))
        handler.close_connection = True

    return answer


def drop(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def test_a_document_is_fetched(provider: Provider) -> None:
    provider.answers["/x"] = as_json(DOCUMENT)
    assert fetch(provider) == DOCUMENT
    (sent,) = provider.headers
    assert sent["Accept"] == "application/json"
    assert sent["Accept-Encoding"] == "identity"
    assert "Authorization" not in sent


def test_a_document_in_pieces_is_fetched(provider: Provider) -> None:
    body = json.dumps(DOCUMENT).encode()
    chunks = [b"%x\r\n%b\r\n" % (1, bytes([octet])) for octet in body]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for chunk in (*chunks, b"0\r\n\r\n"):
            handler.wfile.write(chunk)

    provider.answers["/x"] = answer
    assert fetch(provider) == DOCUMENT


def test_the_largest_document_is_fetched(provider: Provider) -> None:
    provider.answers["/x"] = as_json({"x": "x" * (MAX_SIZE - 9)})
    assert len(json.dumps(fetch(provider))) == MAX_SIZE


@pytest.mark.parametrize("status", [201, 204, 304, 400, 401, 404, 500, 503])
def test_any_other_status_is_no_document(provider: Provider, status: int) -> None:
    assert f"answered {status}" in failure(provider, as_text(status, "{}"))


@pytest.mark.compliance("RFC 9700", "4.11")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(provider: Provider, status: int) -> None:
    provider.answers["/secret"] = as_json(DOCUMENT)
    elsewhere = {"Location": f"{provider.url}/secret"}
    said = failure(provider, as_text(status, "", elsewhere))
    assert f"answered {status}" in said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>welcome</html>",
        "{",
        "{} {}",
        "[" * 100_000,
        "1" * 5000,
        "\x1f\x8b compressed",
    ],
    ids=lambda text: ascii(text)[:12],
)
def test_what_is_no_json_is_an_error(provider: Provider, text: str) -> None:
    failure(provider, as_text(200, text))


def test_bytes_that_are_no_text_are_an_error(provider: Provider) -> None:
    failure(provider, raw(b"HTTP/1.0 200 OK", b"", b'"\xff\xfe\xfd"'))


def test_a_compressed_document_is_an_error(provider: Provider) -> None:
    encoded = {"Content-Encoding": "gzip"}
    bomb = "\x1f" * 1000
    assert "JSON" in failure(provider, as_text(200, bomb, encoded))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(as_text(200, "x" * (MAX_SIZE + 1)), id="told"),
        pytest.param(
            raw(b"HTTP/1.0 200 OK", b"", b'"' + b"x" * (MAX_SIZE + 1)), id="untold"
        ),
    ],
)
def test_a_large_document_is_an_error(provider: Provider, answer: Answer) -> None:
    told = f"answered 200 with more than {MAX_SIZE} octets"
    assert told in failure(provider, answer)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(drop, id="no-answer"),
        pytest.param(raw(b"not http at all", b"", b""), id="not-http"),
        pytest.param(raw(b"HTTP/1.1 abc OK", b"", b""), id="no-status"),
        pytest.param(
            raw(b"HTTP/1.1 200 OK", b"Content-Length: 100", b"", b"{}"), id="cut-short"
        ),
        pytest.param(
            raw(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"", b"zz", b"{}"),
            id="broken-chunk",
        ),
        pytest.param(
            raw(b"HTTP/1.1 200 OK", *[b"X: y"] * 200, b"", b"{}"), id="many-headers"
        ),
        pytest.param(
            raw(b"HTTP/1.1 200 OK", b"X: " + b"y" * 70_000, b"", b"{}"),
            id="long-header",
        ),
    ],
)
def test_a_broken_answer_is_an_error(provider: Provider, answer: Answer) -> None:
    failure(provider, answer)


def trickling(
    provider: Provider, head: bytes, piece: bytes, end: bytes, sent: list[bytes]
) -> Answer:
    """Send a good document so slowly that each octet alone is in time."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        for _ in range(TRICKLE):
            handler.wfile.write(piece)
            sent.append(piece)
            if provider.stopped.wait(0.02):
                break
        handler.wfile.write(end)
        handler.close_connection = True

    return answer


@pytest.mark.parametrize(
    ("head", "piece", "end"),
    [
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n[", b" ", b"]", id="until-closed"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n[" % (TRICKLE + 2),
            b" ",
            b"]",
            id="with-length",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n",
            b"1\r\n \r\n",
            b"1\r\n]\r\n0\r\n\r\n",
            id="chunked",
        ),
    ],
)
def test_a_trickle_is_an_error(
    provider: Provider, head: bytes, piece: bytes, end: bytes
) -> None:
    sent: list[bytes] = []
    failure(provider, trickling(provider, head, piece, end, sent), timeout=0.3)
    assert len(sent) < TRICKLE


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n{"], ids=repr
)
def test_silence_is_an_error(provider: Provider, sent: bytes) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(sent)
        provider.stopped.wait(10)

    failure(provider, answer, timeout=0.1)


def test_nobody_there_is_an_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(FetchError, match="ConnectionError"):
            fetch_json(f"http://127.0.0.1:{port}/", timeout=1, allow_loopback_http=True)


def test_a_certificate_is_asked_for(provider: Provider) -> None:
    url = provider.url.replace("http://", "https://")
    with pytest.raises(FetchError):
        fetch_json(url, timeout=1, allow_loopback_http=True)
    assert provider.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8001/keys",
        "http://127.8.7.6/",
        "http://[::1]:8001/keys",
        "http://localhost/",
        "http://LOCALHOST:8001/",
        "https://id.example/",
        "https://127.0.0.1/",
        "HTTPS://id.example/",
    ],
)
def test_https_and_loopback_are_allowed_for_development(url: str) -> None:
    check_url(url, allow_loopback_http=True)
    if url.lower().startswith("https"):
        check_url(url)
    else:
        with pytest.raises(FetchError, match="is not https"):
            check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/keys",
        "id.example/keys",
        "https://",
        "https:///keys",
        "https://:443/",
        "http://id.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://127.1/",
        "http://2130706433/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1@evil.example/",
        "http://evil.example\\@127.0.0.1/",
        "http://127.0.0.1\\@evil.example/",
        "http://evil.example#@127.0.0.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::1",
        "http://[zz]/",
        "ftp://127.0.0.1/",
        "file:///dev/null",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "https://id.example/\r\nX: y",
        "https://id.example/a b",
        "https://id.example/\0",
        "https://é.example/",
    ],
    ids=ascii,
)
def test_all_else_is_never_fetched(url: str) -> None:
    with pytest.raises(FetchError):
        check_url(url, allow_loopback_http=True)
    with pytest.raises(FetchError):
        fetch_json(url, timeout=0.1, allow_loopback_http=True)


@pytest.mark.parametrize(
    "url",
    ["https://id.example:99999/", "https://id.example:x/", f"https://{'a' * 70}.test/"],
    ids=lambda url: url[:30],
)
def test_a_url_that_nobody_can_call_is_an_error(url: str) -> None:
    with pytest.raises(FetchError):
        fetch_json(url, timeout=0.1)


def test_threads_fetch_side_by_side(provider: Provider) -> None:
    """Two requests are open at once, or the barrier breaks."""
    barrier = threading.Barrier(2, timeout=5)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        barrier.wait()
        as_json(DOCUMENT)(handler)

    provider.answers["/x"] = answer
    call = functools.partial(fetch, provider, 5)
    assert in_threads(call, call) == [DOCUMENT] * 2


#: What the transport of the project gives, or raises.
OWN: list[Any] = [None]


def transport(method: str, url: str, **options: Any) -> Any:
    """Be the transport of a project."""
    assert (method, url) == ("GET", "https://id.example/")
    assert options == {
        "headers": {"Accept": "application/json"},
        "body": None,
        "timeout": 7,
        "max_size": MAX_SIZE,
        "proxies": None,
    }
    if isinstance(OWN[0], BaseException):
        raise OWN[0]
    return OWN[0]


@pytest.fixture
def own(settings: Any) -> list[Any]:
    path = f"{__name__}.{transport.__name__}"
    settings.DRF_APIKIT = {"AUTHENTICATION": {"TRANSPORT": path}}
    return OWN


def test_a_project_may_have_its_own_transport(own: list[Any]) -> None:
    own[0] = Reply(200, {"cache-CONTROL": "max-age=70"}, b'{"a": 1}')
    assert fetch_document("https://id.example/", timeout=7) == Document({"a": 1}, 70)


@pytest.mark.parametrize(
    "given",
    [
        None,
        (200, {}, b"{}"),
        Reply(200, {}, b""),
        Reply(404, {}, b"{}"),
        Reply(200, {}, b" " * MAX_SIZE + b"{}"),
        KeyError("x"),
        RecursionError(),
        SystemExit(3),
        FetchError("no"),
    ],
    ids=lambda given: repr(given)[:40],
)
def test_whatever_it_does_wrong_is_an_error(own: list[Any], given: Any) -> None:
    own[0] = given
    with pytest.raises(FetchError):
        fetch_document("https://id.example/", timeout=7)


def asked(provider: Provider, answer: Answer, timeout: float = 2) -> Reply:
    provider.answers["/x"] = answer
    return ask(
        "POST",
        f"{provider.url}/x",
        headers={"X-A": "b"},
        body=b"c=d",
        timeout=timeout,
        allow_loopback_http=True,
    )


@pytest.mark.parametrize("status", [200, 204, 302, 400, 429, 503])
def test_who_asks_has_an_answer_of_any_status(provider: Provider, status: int) -> None:
    text = "" if status == 204 else "<html>"
    reply = asked(provider, as_text(status, text, {"Retry-After": "7"}))
    assert (reply.status, reply.body) == (status, text.encode())
    assert reply.header("retry-after") == "7"
    assert provider.bodies == [b"c=d"]
    assert provider.headers[0]["X-A"] == "b"


@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_answer_of_any_status_has_a_size(provider: Provider, status: int) -> None:
    told = f"answered {status} with more than {MAX_SIZE} octets"
    with pytest.raises(FetchError, match=told):
        asked(provider, as_text(status, "x" * (MAX_SIZE + 1)))


def test_who_asks_does_not_wait_for_ever(provider: Provider) -> None:
    def silence(_: BaseHTTPRequestHandler) -> None:
        provider.stopped.wait(10)

    # That of the socket, or of the whole: whichever is over first.
    with pytest.raises(FetchError, match=r"TimeoutError|ReadTimeout"):
        asked(provider, silence, timeout=0.1)


@pytest.mark.parametrize("url", ["http://id.example/", "https://", "/x"])
def test_what_may_not_be_asked_is_sent_nothing(own: list[Any], url: str) -> None:
    own[0] = AssertionError()
    with pytest.raises(FetchError, match=r"not https|not a URL"):
        ask("POST", url, headers={}, timeout=7)


#: What the transport below was called with.
CALLS: list[tuple[tuple[str, ...], dict[str, Any]]] = []


def noting(*arguments: str, **options: Any) -> Reply:
    """Be a transport that remembers."""
    CALLS.append((arguments, options))
    return Reply(200, {}, b"{}")


def test_a_transport_is_told_all_there_is_to_know(settings: Any) -> None:
    path = f"{__name__}.{noting.__name__}"
    settings.DRF_APIKIT = {"AUTHENTICATION": {"TRANSPORT": path}}
    CALLS.clear()
    headers, proxies = {"A": "b"}, {"https": "http://proxy.example"}
    ask(
        "PUT", "https://x.test/", headers=headers, body=b"c", timeout=3, proxies=proxies
    )
    fetch_json("https://x.test/", timeout=3, headers=headers, proxies=proxies)
    common = {"timeout": 3, "max_size": MAX_SIZE, "proxies": proxies}
    accepting = {"Accept": "application/json", **headers}
    first, second = CALLS
    assert first == (
        ("PUT", "https://x.test/"),
        {"headers": headers, "body": b"c", **common},
    )
    assert second == (
        ("GET", "https://x.test/"),
        {"headers": accepting, "body": None, **common},
    )


@pytest.mark.compliance("RFC 6749", "3.2")
@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 1}',
        '{"a": 1, "\\u0061": 2}',
        '{"b": [{"a": 1, "a": 2}]}',
        '{"a": "\\ud800"}',
        '{"\\udfff": 1}',
        '{"a": Infinity}',
        '{"a": 1e999}',
        "\ufeff{}",
        "{} {}",
        "{'a': 1}",
        "",
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_only_strict_json_is_read(text: str) -> None:
    with pytest.raises(FetchError, match=r"^no strict JSON object$"):
        parse_object(text.encode())


@pytest.mark.parametrize("text", ["[]", '"a"', "1", "null", "true", "1.5"])
def test_only_an_object_is_read(text: str) -> None:
    with pytest.raises(FetchError, match=r"^no strict JSON object$"):
        parse_object(text.encode())


def test_bytes_that_are_no_utf_8_are_not_read() -> None:
    with pytest.raises(FetchError, match=r"^no strict JSON object$"):
        parse_object('{"a": "é"}'.encode("latin-1"))


def test_an_object_is_read_as_it_is() -> None:
    text = '{"é": ["\\u00e9", 1, 1.5, null, true, {}], "\\ud83d\\ude00": "x"}'
    expected = {"é": ["é", 1, 1.5, None, True, {}], "\U0001f600": "x"}
    assert parse_object(text.encode()) == expected


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"b": "\\ud800", "a": 2}'])
def test_one_odd_member_of_a_document_costs_none_of_the_others(
    provider: Provider, text: str
) -> None:
    provider.answers["/x"] = as_text(200, text)
    assert fetch(provider)["a"] == 2


#: Lets a transport that hangs go.
LET_GO = threading.Event()


def hanging(*_: Any, **__: Any) -> None:
    """Be a transport that does not keep to the time."""
    assert LET_GO.wait(30)


def test_nobody_waits_for_a_transport_that_hangs(settings: Any) -> None:
    path = f"{__name__}.{hanging.__name__}"
    settings.DRF_APIKIT = {"AUTHENTICATION": {"TRANSPORT": path}}
    with pytest.raises(FetchError, match="TimeoutError"):
        fetch_document("https://id.example/", timeout=0.01)
    LET_GO.set()


def test_a_transport_that_is_not_there_is_an_error(settings: Any) -> None:
    settings.DRF_APIKIT = {"AUTHENTICATION": {"TRANSPORT": "nowhere.get"}}
    with pytest.raises(FetchError, match="ModuleNotFoundError"):
        fetch_document("https://id.example/", timeout=7)


@pytest.mark.usefixtures("own")
def test_what_may_not_be_asked_no_transport_sees() -> None:
    with pytest.raises(FetchError, match="is not https"):
        fetch_document("http://id.example/", timeout=7)


@pytest.mark.parametrize(
    ("headers", "max_age"),
    [
        ({}, None),
        ({"Cache-Control": ""}, None),
        ({"Cache-Control": "public, must-revalidate"}, None),
        ({"Cache-Control": "s-maxage=5"}, None),
        ({"Cache-Control": "max-age=x"}, None),
        ({"Cache-Control": "max-age=-1"}, None),
        ({"Cache-Control": f"max-age={'9' * 5000}"}, None),
        ({"Cache-Control": "max-age=0"}, 0),
        ({"Cache-Control": "public,max-age=70"}, 70),
        ({"Cache-Control": 'Public, Max-Age="70"'}, 70),
        ({"Cache-Control": "max-age = 70, public"}, 70),
        ({"Cache-Control": "no-cache, max-age=70"}, 0),
        ({"Cache-Control": 'no-cache="Set-Cookie"'}, 0),
        ({"Cache-Control": "max-age=70, NO-STORE"}, 0),
        ({"Cache-Control": "max-age=70", "Age": "30"}, 40),
        ({"Cache-Control": "max-age=70", "Age": "90"}, 0),
        ({"Cache-Control": "max-age=70", "Age": "²"}, 70),
        ({"Cache-Control": "max-age=70", "Age": "9" * 5000}, 70),
        ({"Cache-Control": "max-age=70", "Age": "-5"}, 70),
    ],
    ids=lambda value: str(value)[:50],
)
@pytest.mark.compliance("RFC 9111", "4.2.1")
def test_how_long_it_is_fresh(
    own: list[Any], headers: dict[str, str], max_age: int | None
) -> None:
    own[0] = Reply(200, headers, b"{}")
    assert fetch_document("https://id.example/", timeout=7).max_age == max_age


@pytest.mark.parametrize(
    "body",
    [b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e999}', b"[]", b'"x"', b"null", b"7"],
    ids=repr,
)
def test_only_a_strict_object_is_a_document(own: list[Any], body: bytes) -> None:
    own[0] = Reply(200, {}, body)
    with pytest.raises(FetchError):
        fetch_document("https://id.example/", timeout=7)


def test_numbers_are_read(own: list[Any]) -> None:
    own[0] = Reply(200, {}, b'{"a": 1.5}')
    assert fetch_document("https://id.example/", timeout=7).content == {"a": 1.5}
