"""How the values of settings are read: each kind parses or says the remedy."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from drf_apikit.jose import KeySet, KeySetError, parse_key_set

__all__ = [
    "Kind",
    "choice",
    "dotted_path",
    "flag",
    "header_names",
    "integer",
    "issuer",
    "key_set",
    "mapping",
    "model_labels",
    "optional",
    "plain_http",
    "private_key",
    "proxies",
    "secret_keys",
    "setting",
    "share",
    "strings",
    "text",
    "url",
]

#: Returns the parsed value, or raises ValueError with what the value must be.
Kind = Callable[[Any], Any]

_URL = re.compile(r"https?://[^\s\\/?#@]+(/[^\s\\?#]*)?(?P<query>\?[^\s\\#]*)?")

#: RFC 9110 section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

_PEM = re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")
#: It may have a name and a password, and nothing after the host.
_PROXY = re.compile(r"(?:https?|socks5h?)://(?:[^\s\\/?#@]+@)?[^\s\\/?#@]+/?")

#: Of keys and clients of our own.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}")
_LABEL = re.compile(r"[A-Za-z_]\w*\.[A-Za-z_]\w*", re.ASCII)


def setting(kind: Kind, doc: str, *, default: Any, secret: bool = False) -> Any:
    """Declare a field of a section; its metadata has the kind and the reference.

    An empty dict comes out of a factory, a new one each time. A value that is
    `secret` is not shown, whatever is wrong with it.
    """
    metadata = {"kind": kind, "doc": doc, "secret": secret}
    if default == {}:
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata, repr=not secret)


def integer(minimum: int, maximum: int) -> Kind:
    """Accept whole numbers in a range; a bool is not a number."""

    def parse(value: Any) -> int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not minimum <= value <= maximum:
            raise ValueError(f"a whole number from {minimum} to {maximum}")
        return int(value)

    return parse


def share(value: Any) -> float:
    """Accept numbers from 0 to 1; a bool is not a number."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1:
        raise ValueError("a number from 0 to 1")
    return float(value)


def flag(value: Any) -> bool:
    """Accept True and False."""
    if not isinstance(value, bool):
        raise ValueError("True or False")
    return value


def text(remedy: str, fits: Callable[[str], object] = bool) -> Kind:
    """Accept a string that `fits`; by default any but the empty one."""

    def parse(value: Any) -> str:
        if not isinstance(value, str) or not fits(value):
            raise ValueError(remedy)
        return value

    return parse


def url(remedy: str, *, query: bool = True) -> Kind:
    """Accept an absolute URL for HTTP, without fragment and credentials."""

    def fits(value: str) -> bool:
        parts = _URL.fullmatch(value) if value.isascii() else None
        return parts is not None and (query or parts["query"] is None)

    return text(remedy, fits)


#: RFC 8414 section 2.
issuer = url("issuer URLs without query and fragment", query=False)


def choice(*allowed: str) -> Kind:
    """Accept one of a few strings."""
    return text(f"one of {', '.join(map(repr, allowed))}", allowed.__contains__)


def strings(remedy: str, allowed: Collection[str] | None = None) -> Kind:
    """Accept a string or a non-empty list of strings; gives a frozenset."""

    def parse(value: Any) -> frozenset[str]:
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list | tuple | set | frozenset) or not listed:
            raise ValueError(remedy)
        if not all(_usable(item, allowed) for item in listed):
            raise ValueError(remedy)
        return frozenset(listed)

    return parse


def header_names(*refused: str) -> Kind:
    """Accept names of headers but for some; gives them in lower case."""
    remedy = f"a list of header names, none of them {', '.join(sorted(refused))}"

    def parse(value: Any) -> frozenset[str]:
        names = frozenset(name.lower() for name in strings(remedy)(value))
        if not all(map(_TOKEN.fullmatch, names)) or names & set(refused):
            raise ValueError(remedy)
        return names

    return parse


def secret_keys(value: Any) -> tuple[bytes, ...]:
    """Accept a list of keys of 32 octets in URL-safe base64."""
    remedy = "a list of keys, each of 32 octets in URL-safe base64"
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(remedy)
    try:
        keys = [base64.b64decode(key, altchars=b"-_", validate=True) for key in value]
    except (TypeError, ValueError, binascii.Error):
        raise ValueError(remedy) from None
    if any(len(key) != 32 for key in keys):
        raise ValueError(remedy)
    return tuple(keys)


def model_labels(value: Any) -> frozenset[str]:
    """Accept a list of `app_label.ModelName`; gives the names in lower case.

    The models are looked up later, when all of them are there.
    """
    remedy = "a list of models such as 'auth.User'"
    labels: frozenset[str] = strings(remedy)(value)
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(remedy)
    pairs = (label.split(".") for label in labels)
    return frozenset(f"{app}.{model.lower()}" for app, model in pairs)


def private_key(value: Any) -> str:
    """Accept a private key in PEM form; it is loaded at its first use."""
    remedy = "a private key in PEM form"
    if not isinstance(value, str) or not _PEM.search(value):
        raise ValueError(remedy)
    return value


def moment(value: Any) -> datetime:
    """Accept a moment with its time zone, as text in ISO 8601 or as a `datetime`."""
    remedy = "a moment with its time zone, such as '2026-12-01T00:00:00Z'"
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(remedy) from None
    if not isinstance(found, datetime) or found.utcoffset() is None:
        raise ValueError(remedy)
    return found


def name(value: Any) -> str:
    """Accept a name of our own for what others name by it too: a key, a client.

    It begins with a letter, so that it is no primary key that is a number.
    """
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(
            "names: up to 100 of the letters, digits, '.', '_' and '-', a letter first"
        )
    return value


def proxies(value: Any) -> Mapping[str, str]:
    """Accept a dict from a scheme to the URL of a proxy."""
    remedy = "a dict such as {'https': 'http://proxy.example:3128'}"
    if not isinstance(value, Mapping) or not value.keys() <= {"http", "https"}:
        raise ValueError(remedy)
    for proxy in value.values():
        if not isinstance(proxy, str) or not _PROXY.fullmatch(proxy):
            raise ValueError(remedy)
    return dict(value)


def key_set(value: Any) -> KeySet:
    """Accept a JSON Web Key Set that has a usable key."""
    try:
        keys = parse_key_set(value)
    except KeySetError as error:
        raise ValueError(f"a JSON Web Key Set, and this is {error}") from None
    if not keys.keys:
        raise ValueError(f"a set with a usable key ({'; '.join(keys.dropped)})")
    return keys


def mapping(remedy: str) -> Kind:
    """Accept a dict, kept as it is."""

    def parse(value: Any) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(remedy)
        return value

    return parse


def dotted_path(value: Any) -> str:
    """Accept the path of something to import; it is loaded at its first use."""
    module, _, name = value.rpartition(".") if isinstance(value, str) else ("", "", "")
    if not module or not all(
        part.isidentifier() for part in (*module.split("."), name)
    ):
        raise ValueError("a dotted path such as 'package.module.name'")
    return str(value)


def optional(kind: Kind) -> Kind:
    """Accept None besides what `kind` accepts."""

    def parse(value: Any) -> Any:
        try:
            return None if value is None else kind(value)
        except ValueError as error:
            raise ValueError(f"None, or {error}") from None

    return parse


def plain_http(
    url: str, told: str, who: str, *, allowed: bool
) -> Iterator[tuple[str, str, str]]:
    """Find plain HTTP that is not allowed, or leads to another machine.

    `told` says what the URL is, `who` is asked there. Gives what contradictions are.
    """
    if url.startswith("https://"):
        return
    setting = "INSECURE_LOOPBACK_HTTP"
    if not allowed:
        remedy = f"Use https; or set it to True for {who} on this very machine."
        yield setting, f"is False, and {told} {url}", remedy
    elif not _is_loopback(url):
        wrong = f"is True, and {told} {url}, which is not this very machine"
        yield setting, wrong, "Use https; or localhost, 127.0.0.1 or [::1]."


def _is_loopback(url: str) -> bool:
    """Judge as those do who ask there; a name may lead to anywhere."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _usable(item: object, allowed: Collection[str] | None) -> bool:
    return isinstance(item, str) and bool(item) and (allowed is None or item in allowed)
