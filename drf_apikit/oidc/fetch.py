"""The one way out: a small JSON document from an issuer, or an error.

No redirects, since they would lead wherever the other side likes; TLS, except
to this machine where a setting says so; bounded in time and in size; as sent,
since what is compressed has no size that can be bounded.
"""

import ipaddress
import json
import re
import time
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import urllib3

__all__ = ["MAX_SIZE", "FetchError", "check_url", "fetch_json"]

#: Octets of a document.
MAX_SIZE: Final = 256 * 1024
_CHUNK: Final = 16 * 1024
#: Visible ASCII without the backslash, about which parsers of hosts disagree.
_URI: Final = re.compile(r"[!-\[\]-~]+")
_FAILURES: Final = (
    requests.RequestException,
    # Reading past requests gives the errors of the floor below.
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
    RecursionError,
)


class FetchError(Exception):
    """The document cannot be had; the text is for logs."""


def fetch_json(url: str, *, timeout: float, allow_loopback_http: bool = False) -> Any:
    """GET a JSON document; connection, answer and body get `timeout` seconds each.

    Raises:
        FetchError: whatever goes wrong.

    """
    check_url(url, allow_loopback_http=allow_loopback_http)
    try:
        with requests.get(
            url,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code != 200:
                raise FetchError(f"{url} answered {response.status_code}")
            return json.loads(_read(response, timeout))
    except _FAILURES as error:
        raise FetchError(f"{url}: {type(error).__name__}") from error


def check_url(url: str, *, allow_loopback_http: bool = False) -> None:
    """Refuse what is not HTTPS.

    Raises:
        FetchError: the URL is not one that keys may come from.

    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise FetchError("not a URL") from None
    if not _URI.fullmatch(url):
        raise FetchError("not a URL")
    if parts.scheme == "https" and host:
        return
    if parts.scheme == "http" and allow_loopback_http and _is_loopback(host):
        return
    raise FetchError(f"{url} is not https")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(response: requests.Response, timeout: float) -> bytes:
    """Read with an eye on the clock: a trickle is no answer either.

    `read1` gives what has come, where `read` waits for the whole chunk with a
    timeout that begins anew with each octet.
    """
    deadline = time.monotonic() + timeout
    body = bytearray()
    while chunk := response.raw.read1(_CHUNK, decode_content=False):
        body += chunk
        if len(body) > MAX_SIZE:
            raise FetchError(f"{response.url} sends more than {MAX_SIZE} octets")
        if time.monotonic() > deadline:
            raise FetchError(f"{response.url} takes too long")
    return bytes(body)
