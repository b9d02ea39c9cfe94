"""The one way out: a request over HTTP whose time and size are bounded.

No redirects, since they would lead wherever the other side likes; as sent, since
what is compressed has no size that can be bounded; without credentials from
`.netrc`; never twice. Over https the given proxies are used, or else those of the
environment, and its certificates are (`HTTPS_PROXY`, `NO_PROXY`,
`REQUESTS_CA_BUNDLE`); over http, which is to this very machine, no proxy is.
"""

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from drf_apikit.oidc.aside import Aside

__all__ = ["CONNECT_TIMEOUT", "Reply", "send"]

#: Seconds for a connection.
CONNECT_TIMEOUT: Final = 2.0
_CHUNK: Final = 16 * 1024
_HEADERS: Final = {"Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other side has answered, whatever the status."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Not shown: it may hold tokens.
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """Give a header by its name, in whatever case either is."""
        wanted = name.lower()
        for found, value in self.headers.items():
            if found.lower() == wanted:
                return value
        return None


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: float,
    max_size: int,
    proxies: Mapping[str, str] | None = None,
) -> Reply:
    """Make a request that takes `timeout` seconds at the most, whatever happens.

    The body of the answer is read to one octet more than `max_size`, which shows
    that it is too long. A name that is looked up for long, headers that trickle in
    and a body that does not end all count: when the time is over, the connection is
    cut. `proxies` are by scheme; None means those of the environment.

    Raises:
        Exception: whatever goes wrong; TimeoutError when the time is over.

    """
    wire = _Wire()
    request = requests.Request(method, url, {**headers, **_HEADERS}, data=body)
    aside = Aside("drf_apikit fetch")
    try:
        call = partial(_send, request, timeout, max_size, proxies, wire)
        return aside.call(call, timeout)
    finally:
        wire.cut()
        aside.end()


class _Wire:
    """The connections of one fetch, so that another thread can cut them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_cut = False
        self._sockets: list[socket.socket] = []

    def watch(self, connection: socket.socket) -> None:
        """Learn of a connection; it is cut at once if it comes too late."""
        with self._lock:
            # TLS takes the socket itself away.
            self._sockets.append(connection.dup())
        if self._is_cut:
            self.cut()

    def cut(self) -> None:
        """Cut them, now and later: whoever reads one comes to its end."""
        self._is_cut = True
        with self._lock:
            while self._sockets:
                with self._sockets.pop() as connection, suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


#: Of the thread that fetches.
_WIRE: Final[ContextVar[_Wire]] = ContextVar("_WIRE")


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        _WIRE.get().watch(made)
        return made


class _TlsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        _WIRE.get().watch(made)
        return made


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """Connects so that the connection can be cut."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _watch(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        _watch(manager)
        return manager


class _Session(requests.Session):
    """One for which there are no redirects, and proxies are those it is given."""

    def __init__(self, proxies: Mapping[str, str] | None) -> None:
        super().__init__()
        self._given = proxies
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())

    def get_redirect_target(self, _response: Any) -> None:
        """Find none: even without following it, requests would read all its body."""

    def merge_environment_settings(self, *args: Any, **kwargs: Any) -> Any:
        """Take from the environment the certificates, but its proxies only if told."""
        merged = super().merge_environment_settings(*args, **kwargs)
        if self._given is not None:
            merged["proxies"] = dict(self._given)
        return merged


#: There are others, as of proxies that speak SOCKS.
_WATCHED: Final[Mapping[Any, Any]] = {
    HTTPConnectionPool: _Pool,
    HTTPSConnectionPool: _TlsPool,
}


def _watch(manager: Any) -> None:
    manager.pool_classes_by_scheme = {
        scheme: _WATCHED.get(pool, pool)
        for scheme, pool in manager.pool_classes_by_scheme.items()
    }


def _send(
    request: requests.Request,
    timeout: float,
    max_size: int,
    proxies: Mapping[str, str] | None,
    wire: _Wire,
) -> Reply:
    _WIRE.set(wire)
    is_local = not request.url.lower().startswith("https:")
    with _Session({} if is_local else proxies) as session:
        session.trust_env = not is_local
        with session.request(
            request.method,
            request.url,
            headers=request.headers,
            data=request.data,
            timeout=(min(CONNECT_TIMEOUT, timeout), timeout),
            allow_redirects=False,
            stream=True,
            # Anything but None keeps requests from looking for some.
            auth=_without_credentials,
        ) as response:
            body = _read(response.raw, max_size)
            return Reply(response.status_code, dict(response.headers), body)


def _without_credentials(
    request: requests.PreparedRequest,
) -> requests.PreparedRequest:
    return request


def _read(raw: Any, max_size: int) -> bytes:
    """`read1` gives what has come, where `read` waits for the whole chunk."""
    body = bytearray()
    while len(body) <= max_size:
        chunk = raw.read1(_CHUNK, decode_content=False)
        if not chunk:
            break
        body += chunk
    return bytes(body[: max_size + 1])
