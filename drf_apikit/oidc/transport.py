"""The one way out: a GET over HTTP whose time and size are bounded.

No redirects, since they would lead wherever the other side likes; as sent, since
what is compressed has no size that can be bounded; without credentials from
`.netrc`. Over https a proxy in the environment is used, and its certificates are
(`HTTPS_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`); to this very machine none is.
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

__all__ = ["CONNECT_TIMEOUT", "Reply", "get"]

#: Seconds for a connection.
CONNECT_TIMEOUT: Final = 2.0
_CHUNK: Final = 16 * 1024
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other side has answered; the body matters with status 200 alone."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def get(url: str, *, timeout: float, max_size: int) -> Reply:
    """Do a GET that takes `timeout` seconds at the most, whatever happens.

    A body is read to one octet more than `max_size`, which shows that it is too
    long. A name that is looked up for long, headers that trickle in and a body
    that does not end all count: when the time is over, the connection is cut.

    Raises:
        Exception: whatever goes wrong; TimeoutError when the time is over.

    """
    wire = _Wire()
    aside = Aside("drf_apikit fetch")
    try:
        return aside.call(partial(_get, url, timeout, max_size, wire), timeout)
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
    """One for which there are no redirects.

    Even without following one, requests would read the whole of its body.
    """

    def get_redirect_target(self, _response: Any) -> None:
        return None


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


def _get(url: str, timeout: float, max_size: int, wire: _Wire) -> Reply:
    _WIRE.set(wire)
    with _Session() as session:
        session.trust_env = url.lower().startswith("https:")
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter())
        with session.get(
            url,
            headers=_HEADERS,
            timeout=(min(CONNECT_TIMEOUT, timeout), timeout),
            allow_redirects=False,
            stream=True,
            # Anything but None keeps requests from looking for some.
            auth=_without_credentials,
        ) as response:
            good = response.status_code == 200
            body = _read(response.raw, max_size) if good else b""
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
