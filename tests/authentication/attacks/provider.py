"""A provider that misbehaves: its documents, and how it sends them."""

import gzip
import json
import socket
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from tests.authentication.attacks.cases import Case, Outcome, World, good
from tests.authentication.attacks.keys import Arrange
from tests.jose.minting import public_jwk
from tests.oidc.provider import DISCOVERY, JWKS, Provider, as_json, as_text

__all__ = ["PROVIDER_CASES"]

_SAME: Final = ("OIDC Discovery", "4.3")
_DOCUMENT: Final = ("OIDC Discovery", "4.2")
_URI: Final = ("OIDC Discovery", "3")
_TRUSTED: Final = ("RFC 8725", "3.10")
_UNAVAILABLE: Final = Outcome.UNAVAILABLE
_KEYS: Final = {"keys": [public_jwk("P-256")]}
#: Keys of the attacker, under our kid.
_EVIL: Final = {"keys": [public_jwk("other P-256", kid="P-256")]}

Make = Callable[[World], str]


def _by_attacker(world: World) -> str:
    return world.token(kind="other P-256")


def _case(
    name: str,
    arrange: Arrange,
    spec: tuple[str, str] = _DOCUMENT,
    make: Make = good,
) -> Case:
    return Case(
        f"provider-{name}",
        make,
        _UNAVAILABLE,
        *spec,
        arrange=arrange,
    )


def _metadata(
    name: str,
    members: Callable[[Provider, World], Mapping[str, Any]],
    spec: tuple[str, str],
    make: Make = good,
) -> Case:
    """Give a case of another discovery document, beside good keys."""

    def arrange(provider: Provider, world: World) -> None:
        document = provider.metadata(**members(provider, world))
        provider.answers[DISCOVERY] = as_json(document)

    return _case(f"discovery-{name}", arrange, spec, make)


def _uri(name: str, uri: Callable[[World], Any]) -> Case:
    """Name another place of the keys, where those of the attacker may be."""
    return _metadata(
        f"jwks_uri-{name}",
        lambda _, world: {"jwks_uri": uri(world)},
        _URI,
        _by_attacker,
    )


def _body(name: str, text: str) -> Case:
    """Send something in the place of each document."""

    def arrange(provider: Provider, _: World) -> None:
        provider.answers = dict.fromkeys((DISCOVERY, JWKS), as_text(200, text))

    return _case(f"body-{name}", arrange)


def _keys(
    name: str,
    answer: Callable[[BaseHTTPRequestHandler, Provider], None],
) -> Case:
    """Answer the request for keys in some other way, after a good discovery."""

    def arrange(provider: Provider, _: World) -> None:
        provider.answers[JWKS] = lambda handler: answer(handler, provider)

    return _case(f"keys-{name}", arrange)


def _status(status: int) -> Case:
    return _keys(
        f"status-{status}",
        lambda handler, _: as_text(status, json.dumps(_KEYS))(handler),
    )


def _redirect(place: str, status: int) -> Case:
    """Lead to the attacker's own documents, which would be good ones."""

    def arrange(provider: Provider, world: World) -> None:
        target = world.evil + (JWKS if place == JWKS else DISCOVERY)
        provider.answers[place] = as_text(status, "", {"Location": target})

    name = "keys" if place == JWKS else "discovery"
    return _case(f"redirect-{status}-of-{name}", arrange, _TRUSTED, _by_attacker)


def _self_redirect(provider: Provider, _: World) -> None:
    provider.answers[JWKS] = as_text(302, "", {"Location": provider.url + JWKS})


def _bomb(handler: BaseHTTPRequestHandler, _: Provider) -> None:
    body = gzip.compress(json.dumps({**_KEYS, "pad": " " * 20_000_000}).encode())
    _send(handler, body, {"Content-Encoding": "gzip"})


def _compressed(handler: BaseHTTPRequestHandler, _: Provider) -> None:
    body = gzip.compress(json.dumps(_KEYS).encode())
    _send(handler, body, {"Content-Encoding": "gzip"})


def _huge(handler: BaseHTTPRequestHandler, _: Provider) -> None:
    _send(handler, json.dumps({**_KEYS, "pad": "x" * 300_000}).encode(), {})


def _endless(handler: BaseHTTPRequestHandler, _: Provider) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _chunk in range(1000):
        handler.wfile.write(b" " * 65_536)


def _many_headers(handler: BaseHTTPRequestHandler, _: Provider) -> None:
    named = {f"X-{number}": "x" for number in range(500)}
    _send(handler, json.dumps(_KEYS).encode(), named)


def _cut_short(handler: BaseHTTPRequestHandler, _: Provider) -> None:
    body = json.dumps(_KEYS).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body) * 2))
    handler.end_headers()
    handler.wfile.write(body[:-1])
    handler.close_connection = True


def _reset(handler: BaseHTTPRequestHandler, _: Provider) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def _no_http(handler: BaseHTTPRequestHandler, _: Provider) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    handler.close_connection = True


def _hanging(_: BaseHTTPRequestHandler, provider: Provider) -> None:
    provider.stopped.wait(10)


def _trickling(handler: BaseHTTPRequestHandler, provider: Provider) -> None:
    """Send a space now and then: no read takes long, the whole for ever."""
    handler.send_response(200)
    handler.end_headers()
    while not provider.stopped.wait(0.1):
        handler.wfile.write(b" ")


def _send(
    handler: BaseHTTPRequestHandler, body: bytes, headers: Mapping[str, str]
) -> None:
    handler.send_response(200)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _down(provider: Provider, _: World) -> None:
    provider.fail()


PROVIDER_CASES: Final = (
    _metadata(
        "of-the-attacker",
        lambda _, world: {"issuer": world.evil, "jwks_uri": f"{world.evil}/keys"},
        _SAME,
        _by_attacker,
    ),
    _metadata("issuer-other", lambda *_: {"issuer": "https://other.test"}, _SAME),
    _metadata("issuer-slash", lambda p, _: {"issuer": f"{p.url}/"}, _SAME),
    _metadata("issuer-case", lambda p, _: {"issuer": p.url.upper()}, _SAME),
    _metadata("issuer-missing", lambda *_: {"issuer": None}, _SAME),
    _metadata("issuer-list", lambda p, _: {"issuer": [p.url]}, _SAME),
    _metadata("issuer-bool", lambda *_: {"issuer": True}, _SAME),
    _uri("missing", lambda _: None),
    _uri("empty", lambda _: ""),
    _uri("number", lambda _: 7),
    _uri("list", lambda world: [f"{world.evil}/keys"]),
    _uri("object", lambda world: {"url": f"{world.evil}/keys"}),
    _uri("relative", lambda _: "/keys"),
    _uri("no-scheme", lambda world: world.evil.removeprefix("http:") + "/keys"),
    _uri("http", lambda _: "http://other.test/keys"),
    _uri("link-local", lambda _: "http://169.254.169.254/latest/meta-data/"),
    _uri("private-network", lambda _: "http://10.0.0.1/keys"),
    _uri("any-address", lambda _: "http://0.0.0.0/keys"),
    _uri("file", lambda _: "file:///etc/hostname"),
    _uri("ftp", lambda _: "ftp://other.test/keys"),
    _uri("data", lambda _: f"data:application/json,{json.dumps(_EVIL)}"),
    _uri("gopher", lambda _: "gopher://127.0.0.1:6379/_FLUSHALL"),
    _uri("userinfo", lambda world: f"http://127.0.0.1@other.test{world.evil[7:]}"),
    _uri("localhost-suffix", lambda _: "http://localhost.other.test/keys"),
    _uri("loopback-prefix", lambda _: "http://127.0.0.1.other.test/keys"),
    _uri("backslash", lambda _: "http://127.0.0.1\\@other.test/keys"),
    _uri("newline", lambda world: f"{world.evil}/keys\r\nX-Evil: 1"),
    _uri("no-host", lambda _: "https:///keys"),
    _uri("bad-port", lambda _: "https://127.0.0.1:99999999/keys"),
    _uri("unreachable", lambda _: "https://127.0.0.1:1/keys"),
    _uri("brackets", lambda _: "https://[::1/keys"),
    *[_redirect(JWKS, status) for status in (301, 302, 307, 308)],
    *[_redirect(DISCOVERY, status) for status in (302, 303)],
    _case("redirect-to-itself", _self_redirect),
    _case("down", _down),
    *map(_status, (204, 206, 304, 400, 401, 404, 429, 500, 502, 503)),
    _body("html", "<!doctype html><title>Sign in</title>"),
    _body("empty", ""),
    _body("text", "keys"),
    _body("null", "null"),
    _body("list", "[]"),
    _body("number", "1"),
    _body("cut", '{"keys": ['),
    _body("nan", '{"keys": NaN}'),
    _body("1e400", '{"keys": [1e400]}'),
    _body("infinity", '{"keys": [-Infinity]}'),
    _body("5000-digits", '{"keys": [' + "9" * 5000 + "]}"),
    _body("deep", '{"keys":' + "[" * 50_000 + "]" * 50_000 + "}"),
    _body("xml", '<?xml version="1.0"?><keys/>'),
    _keys("gzip-bomb", _bomb),
    _keys("gzip", _compressed),
    _keys("huge", _huge),
    _keys("endless", _endless),
    _keys("many-headers", _many_headers),
    _keys("cut-short", _cut_short),
    _keys("reset", _reset),
    _keys("no-http", _no_http),
    _keys("hanging", _hanging),
    _keys("trickling", _trickling),
)
