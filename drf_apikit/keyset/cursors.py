"""Cursors: opaque, URL-safe, versioned, typed, signed and bound.

Signed, since a position that a client could choose would let it search a
column that it may not see; bound to the ordering and to what the caller
filtered by, since a position means nothing in another list.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.core.signing import BadSignature, Signer

from drf_apikit.keyset.ordering import Ordering

__all__ = ["Cursor", "CursorError", "decode", "encode"]

#: Moves when cursors are written in another way, so that old ones are refused.
_FORMAT: Final = 1
_SALT: Final = "drf_apikit.keyset.cursor"


class CursorError(ValueError):
    """The text is no cursor of ours for this ordering and scope."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position: one value for each term of the ordering.

    `reverse` walks towards the first row; `inclusive` takes the row at the
    position along.
    """

    values: tuple[Any, ...]
    reverse: bool = False
    inclusive: bool = False


def encode(cursor: Cursor, ordering: Ordering, scope: str) -> str:
    """Write a cursor for this ordering; `scope` is what else it is bound to.

    Raises:
        TypeError: a value of a type that has no lossless text.

    """
    payload = [
        _FORMAT,
        _binding(ordering, scope),
        int(cursor.reverse),
        int(cursor.inclusive),
        [_pack(value) for value in cursor.values],
    ]
    return _signer().sign_object(payload, serializer=_Compact)


def decode(text: str, ordering: Ordering, scope: str) -> Cursor:
    """Read a cursor that `encode` wrote for the same ordering and scope.

    Raises:
        CursorError: anything else, whatever it is.

    """
    try:
        payload = _signer().unsign_object(text, serializer=_Compact)
    except (BadSignature, ValueError):
        raise CursorError("not signed by this API") from None
    if payload[:2] != [_FORMAT, _binding(ordering, scope)]:
        raise CursorError("from another list, ordering, filter or version")
    reverse, inclusive, values = payload[2:]
    return Cursor(tuple(map(_unpack, values)), bool(reverse), bool(inclusive))


def _signer() -> Signer:
    # A dot is safe in a query string; SECRET_KEY_FALLBACKS are honoured.
    return Signer(salt=_SALT, sep=".")


def _binding(ordering: Ordering, scope: str) -> str:
    text = f"{ordering.fingerprint()}|{scope}"
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=9).hexdigest()


class _Compact:
    """JSON without white space, for `sign_object`."""

    @staticmethod
    def dumps(value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode("ascii")

    @staticmethod
    def loads(raw: bytes) -> Any:
        return json.loads(raw)


#: JSON has these already; `bool` is an `int`, so both are safe as they are.
_PLAIN: Final = (str, int)

_WRITERS: Final[Mapping[type, tuple[str, Callable[[Any], str]]]] = {
    # repr() of a float is the shortest text that reads back the same.
    float: ("f", repr),
    Decimal: ("D", str),
    datetime: ("t", datetime.isoformat),
    date: ("d", date.isoformat),
    time: ("T", time.isoformat),
    timedelta: ("i", lambda value: str(value // timedelta(microseconds=1))),
    UUID: ("u", str),
}
_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "f": float,
    "D": Decimal,
    "t": datetime.fromisoformat,
    "d": date.fromisoformat,
    "T": time.fromisoformat,
    "i": lambda text: timedelta(microseconds=int(text)),
    "u": UUID,
}


def _pack(value: Any) -> Any:
    """Keep what JSON keeps; write the rest as `[tag, text]`."""
    if value is None or isinstance(value, _PLAIN):
        return value
    for base in type(value).__mro__:
        if base in _WRITERS:
            tag, write = _WRITERS[base]
            return [tag, write(value)]
    raise TypeError(f"no cursor can hold a {type(value).__name__}")


def _unpack(packed: Any) -> Any:
    if not isinstance(packed, list):
        return packed
    tag, text = packed
    return _READERS[tag](text)
