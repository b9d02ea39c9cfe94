"""What may be asked of a provider, and what counts as an answer.

TLS, except to this machine where a setting says so; bounded in time and size. Of a
document also: status 200, and a JSON object. The transport does the rest.
"""

import ipaddress
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from drf_apikit.conf import apikit_settings, load
from drf_apikit.oidc.aside import Aside
from drf_apikit.oidc.transport import Reply

__all__ = [
    "MAX_SIZE",
    "Document",
    "FetchError",
    "ask",
    "check_url",
    "fetch",
    "fetch_json",
    "parse_object",
]

#: Octets of an answer.
MAX_SIZE: Final = 256 * 1024
#: Seconds for a transport to end by itself.
_GRACE: Final = 0.5
#: Visible ASCII without the backslash, about which parsers of hosts disagree.
_URI: Final = re.compile(r"[!-\[\]-~]+")
#: RFC 9111 section 5.2.2.1; some write the number as a quoted string.
_MAX_AGE: Final = re.compile(r'(?:^|[,\s])max-age\s*=\s*"?(\d{1,10})(?!\d)')
_NOT_KEPT: Final = re.compile(r"(?:^|[,\s])no-(?:cache|store)\s*(?:$|[,=])")


class FetchError(Exception):
    """There is no answer, or none that is of use; the text is for logs."""


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object; `max_age` is in seconds, or None where nothing is said."""

    content: Mapping[str, Any]
    max_age: int | None = None


def fetch(
    url: str,
    *,
    timeout: float,
    allow_loopback_http: bool = False,
    headers: Mapping[str, str] | None = None,
    proxies: Mapping[str, str] | None = None,
) -> Document:
    """GET a JSON object by `TRANSPORT`, in `timeout` seconds.

    Raises:
        FetchError: whatever goes wrong.

    """
    reply = ask(
        "GET",
        url,
        headers={"Accept": "application/json", **(headers or {})},
        timeout=timeout,
        allow_loopback_http=allow_loopback_http,
        proxies=proxies,
    )
    if reply.status != 200:
        raise FetchError(f"{url} answered {reply.status}")
    try:
        # One odd member must not cost all the others: keys are judged one by one.
        content = _object(reply.body)
    except ValueError as error:
        raise FetchError(f"{url} sends no JSON object") from error
    return Document(content, _max_age(reply))


def fetch_json(
    url: str,
    *,
    timeout: float,
    allow_loopback_http: bool = False,
    headers: Mapping[str, str] | None = None,
    proxies: Mapping[str, str] | None = None,
) -> Mapping[str, Any]:
    """GET a JSON object, without what is said about keeping it.

    Raises:
        FetchError: whatever goes wrong.

    """
    return fetch(
        url,
        timeout=timeout,
        allow_loopback_http=allow_loopback_http,
        headers=headers,
        proxies=proxies,
    ).content


def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    timeout: float,
    allow_loopback_http: bool = False,
    proxies: Mapping[str, str] | None = None,
) -> Reply:
    """Ask by `TRANSPORT`, and give the answer whatever its status.

    Raises:
        FetchError: the URL may not be asked, or there is no answer of at most
            `MAX_SIZE` octets in `timeout` seconds.

    """
    check_url(url, allow_loopback_http=allow_loopback_http)
    try:
        send = load(apikit_settings.authentication.transport)
        call = partial(
            send,
            method,
            url,
            headers=headers,
            body=body,
            timeout=timeout,
            max_size=MAX_SIZE,
            proxies=proxies,
        )
        reply = _in_time(call, timeout)
        # Of a transport of the project's own, nobody knows what it gives or raises.
        is_long = len(reply.body) > MAX_SIZE
    except Exception as error:
        raise FetchError(f"{url}: {type(error).__name__}") from error
    if is_long:
        told = f"{url} answered {reply.status} with more than {MAX_SIZE} octets"
        raise FetchError(told)
    return reply


def parse_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object that has one meaning only.

    Raises:
        FetchError: it is anything else, such as one with a member twice; the text
            quotes nothing of it.

    """
    try:
        content = _object(body, object_pairs_hook=_unique_members)
        # An escape can smuggle a lone surrogate past UTF-8.
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise FetchError("no strict JSON object") from None
    return content


def _object(body: bytes, **options: Any) -> dict[str, Any]:
    try:
        content = json.loads(
            body.decode("utf-8"),
            parse_constant=_refuse,
            parse_float=_finite,
            **options,
        )
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(content, dict):
        raise ValueError("no object")
    return content


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


def _in_time(call: Callable[[], Reply], timeout: float) -> Reply:
    """Wait no longer even where a transport does not keep to the time."""
    aside = Aside("drf_apikit transport")
    try:
        return aside.call(call, timeout + _GRACE)
    finally:
        aside.end()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 6749 section 3.2: no parameter is there more than once."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _max_age(reply: Reply) -> int | None:
    """RFC 9111 section 4.2: how much longer it is fresh, as far as is said."""
    directives = (reply.header("Cache-Control") or "").lower()
    if _NOT_KEPT.search(directives):
        return 0
    found = _MAX_AGE.search(directives)
    if found is None:
        return None
    age = reply.header("Age") or ""
    spent = int(age) if age.isascii() and age.isdigit() and len(age) <= 10 else 0
    return max(0, int(found[1]) - spent)
