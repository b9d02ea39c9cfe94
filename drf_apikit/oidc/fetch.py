"""A small JSON document from an issuer, or an error: what may be asked, what counts.

TLS, except to this machine where a setting says so; status 200; an object; bounded
in size. The transport does the rest.
"""

import ipaddress
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from drf_apikit.conf import apikit_settings, load
from drf_apikit.oidc.aside import Aside
from drf_apikit.oidc.transport import Reply

__all__ = ["MAX_SIZE", "Document", "FetchError", "check_url", "fetch", "fetch_json"]

#: Octets of a document.
MAX_SIZE: Final = 256 * 1024
#: Seconds for a transport to end by itself.
_GRACE: Final = 0.5
#: Visible ASCII without the backslash, about which parsers of hosts disagree.
_URI: Final = re.compile(r"[!-\[\]-~]+")
#: RFC 9111 section 5.2.2.1; some write the number as a quoted string.
_MAX_AGE: Final = re.compile(r'(?:^|[,\s])max-age\s*=\s*"?(\d{1,10})(?!\d)')
_NOT_KEPT: Final = re.compile(r"(?:^|[,\s])no-(?:cache|store)\s*(?:$|[,=])")


class FetchError(Exception):
    """The document cannot be had; the text is for logs."""


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object; `max_age` is in seconds, or None where nothing is said."""

    content: Mapping[str, Any]
    max_age: int | None = None


def fetch(url: str, *, timeout: float, allow_loopback_http: bool = False) -> Document:
    """GET a JSON object by `TRANSPORT`, in `timeout` seconds.

    Raises:
        FetchError: whatever goes wrong.

    """
    check_url(url, allow_loopback_http=allow_loopback_http)
    try:
        return _judge(url, _asked(url, timeout))
    except FetchError:
        raise
    except Exception as error:
        # Of a transport of the project's own, nobody knows what it raises.
        raise FetchError(f"{url}: {type(error).__name__}") from error


def fetch_json(
    url: str, *, timeout: float, allow_loopback_http: bool = False
) -> Mapping[str, Any]:
    """GET a JSON object, without what is said about keeping it.

    Raises:
        FetchError: whatever goes wrong.

    """
    found = fetch(url, timeout=timeout, allow_loopback_http=allow_loopback_http)
    return found.content


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


def _asked(url: str, timeout: float) -> Reply:
    """Ask, and wait no longer even where a transport does not keep to the time."""
    get = load(apikit_settings.authentication.transport)
    call = partial(get, url, timeout=timeout, max_size=MAX_SIZE)
    aside = Aside("drf_apikit transport")
    try:
        reply: Reply = aside.call(call, timeout + _GRACE)
    finally:
        aside.end()
    return reply


def _judge(url: str, reply: Reply) -> Document:
    if reply.status != 200:
        raise FetchError(f"{url} answered {reply.status}")
    if len(reply.body) > MAX_SIZE:
        raise FetchError(f"{url} sends more than {MAX_SIZE} octets")
    content = _parse(reply.body)
    if not isinstance(content, dict):
        raise FetchError(f"{url} sends no JSON object")
    return Document(content, _max_age(reply.headers))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parse(body: bytes) -> Any:
    text = body.decode("utf-8")
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _max_age(headers: Mapping[str, str]) -> int | None:
    """RFC 9111 section 4.2: how much longer it is fresh, as far as is said."""
    named = {name.lower(): value for name, value in headers.items()}
    directives = named.get("cache-control", "").lower()
    if _NOT_KEPT.search(directives):
        return 0
    found = _MAX_AGE.search(directives)
    if found is None:
        return None
    age = named.get("age", "")
    spent = int(age) if age.isascii() and age.isdigit() and len(age) <= 10 else 0
    return max(0, int(found[1]) - spent)
