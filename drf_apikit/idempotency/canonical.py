"""Values as octets: equal values give the same ones, in every process."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.core.files.base import File
from django.utils.datastructures import MultiValueDict

__all__ = ["MAX_VALUES", "UnwritableError", "canonical"]

#: Bounds the work: references within a document can unfold without end.
MAX_VALUES: Final = 1_000_000


class UnwritableError(Exception):
    """A value has a part whose octets would not always be the same."""


def canonical(value: Any) -> str:
    """Digest a value as a parser gives it, however deep it is.

    Written are None, booleans, numbers, texts, octets, dates and times, UUIDs,
    files, and lists and mappings of them. The order of the members of a mapping
    makes no difference; a list's does. Numbers of different types are different,
    and no digit is lost. A file is its name, content type and octets, and stays
    at the position where it was.

    Raises:
        UnwritableError: an object of another type, or more than a million values.

    """
    sha256 = hashlib.sha256()
    # Without recursion, and without a copy of the whole.
    todo = [value]
    for _ in range(MAX_VALUES):
        item = todo.pop()
        kind = type(item)
        enter = None if kind in _SINGLES else _CONTAINERS.get(kind) or _container(item)
        sha256.update(_single(item) if enter is None else enter(item, todo))
        if not todo:
            return sha256.hexdigest()
    raise UnwritableError("more than a million values")


def _container(value: Any) -> Callable[[Any, list[Any]], bytes] | None:
    """Find how a value is entered that is of a rarer type, if it has others in it."""
    match value:
        case MultiValueDict():
            return _lists
        case Mapping():
            return _members
        case list() | tuple():
            return _items
        case _:
            return None


def _lists(value: "MultiValueDict[Any, Any]", todo: list[Any]) -> bytes:
    return _members(dict(value.lists()), todo)


def _members(value: Mapping[Any, Any], todo: list[Any]) -> bytes:
    members = {_single(name): value[name] for name in value}
    names = sorted(members)
    todo += [members[name] for name in reversed(names)]
    return b"{%d:%b" % (len(names), b"".join(names))


def _items(value: list[Any] | tuple[Any, ...], todo: list[Any]) -> bytes:
    todo += reversed(value)
    return b"[%d:" % len(value)


def _single(value: Any) -> bytes:
    """Write a value, so that neither another type nor what follows reads the same."""
    kind = type(value)
    if kind not in _SINGLES:
        kind = next((kind for kind in _SINGLES if isinstance(value, kind)), object)
    if kind is object:
        raise UnwritableError(type(value).__name__)
    octets = _SINGLES[kind](value)
    return b"%b %d:%b" % (kind.__name__.encode(), len(octets), octets)


def _text(value: str) -> bytes:
    # JSON can name one half of a pair of surrogates.
    return str.encode(value, errors="surrogatepass")


def _file(value: "File[Any]") -> bytes:
    sha256, position = hashlib.sha256(), value.tell()
    for chunk in value.chunks():
        sha256.update(chunk)
    value.seek(position)
    kind = str(getattr(value, "content_type", None))
    return _single(str(value.name)) + _single(kind) + sha256.digest()


_CONTAINERS: Final[dict[type[Any], Callable[[Any, list[Any]], bytes]]] = {
    dict: _members,
    list: _items,
}
#: Subclasses come before their classes; a `datetime` is a `date`.
_SINGLES: Final[dict[type[Any], Callable[[Any], bytes]]] = {
    str: _text,
    bool: lambda value: b"1" if value else b"0",
    # Python refuses to write long ones in decimal.
    int: lambda value: int.__format__(value, "x").encode(),
    float: lambda value: float.__repr__(value).encode(),
    type(None): lambda _: b"",
    Decimal: lambda value: str(value).encode(),
    date: lambda value: value.isoformat().encode(),
    time: lambda value: value.isoformat().encode(),
    timedelta: lambda value: str(value).encode(),
    UUID: lambda value: value.bytes,
    bytes: lambda value: hashlib.sha256(value).digest(),
    File: _file,
}
