"""Cursors: opaque, URL-safe, versioned, typed, signed and bound.

Signed, since a position that a client could choose would let it search a
column that it may not see; bound to the ordering and to what the caller
filtered by, since a position means nothing in another list. What is signed can
be read: a cursor shows the ordering values of its row.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.core.signing import BadSignature, Signer

from drf_apikit.keyset.counting import Total
from drf_apikit.keyset.ordering import Ordering

__all__ = ["Cursor", "CursorError", "decode", "encode"]

#: Moves when cursors are written in another way, so that old ones are refused.
_FORMAT: Final = 2
_SALT: Final = "drf_apikit.keyset.cursor"
_REVERSE: Final = 1
_INCLUSIVE: Final = 2
_FEW_TIES: Final = 4


class CursorError(ValueError):
    """The text is no cursor of ours for this ordering and scope.

    `foreign` says that it was given out, but for another list.
    """

    def __init__(self, message: str, *, foreign: bool = False) -> None:
        super().__init__(message)
        self.foreign = foreign


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position: one value for each term of the ordering; None for an end.

    `reverse` walks towards the first row, and without a position begins at the
    last one; `inclusive` takes the row at the position along; `few_ties` is what
    the slice said that it is of. `total` was counted at the beginning of the
    walk, and holds for whom `witness` names.
    """

    position: tuple[Any, ...] | None
    reverse: bool = False
    inclusive: bool = False
    few_ties: bool = False
    total: Total | None = None
    witness: str = ""


def encode(cursor: Cursor, ordering: Ordering, scope: str) -> str:
    """Write a cursor for this ordering; `scope` is what else it is bound to.

    Raises:
        TypeError: a value of a type that has no lossless text.

    """
    position, total = cursor.position, cursor.total
    payload = [
        _FORMAT,
        _binding(ordering, scope),
        _REVERSE * cursor.reverse
        + _INCLUSIVE * cursor.inclusive
        + _FEW_TIES * cursor.few_ties,
        None if position is None else [_pack(value) for value in position],
    ]
    if total is not None:
        payload.append([total.count, total.relation, cursor.witness])
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
        raise CursorError("of another list, ordering, filter or version", foreign=True)
    flags, packed, *counted = payload[2:]
    position = None if packed is None else tuple(map(_unpack, packed))
    total, witness = None, ""
    for count, relation, by in counted:
        total, witness = Total(count, relation), by
    reverse, inclusive, few_ties = (
        bool(flags & flag) for flag in (_REVERSE, _INCLUSIVE, _FEW_TIES)
    )
    return Cursor(position, reverse, inclusive, few_ties, total, witness)


def _signer() -> Signer:
    # A dot is safe in a query string; SECRET_KEY_FALLBACKS are honoured.
    return Signer(salt=_SALT, sep=".")


def _binding(ordering: Ordering, scope: str) -> str:
    text = f"{ordering.fingerprint()}|{scope}"
    digest = hashlib.blake2b(text.encode(errors="replace"), digest_size=9).digest()
    return base64.urlsafe_b64encode(digest).decode()


class _Compact:
    """JSON without white space, for `sign_object`."""

    @staticmethod
    def dumps(value: Any) -> bytes:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return text.encode()

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
    bytes: ("b", bytes.hex),
}
_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "f": float,
    "D": Decimal,
    "t": datetime.fromisoformat,
    "d": date.fromisoformat,
    "T": time.fromisoformat,
    "i": lambda text: timedelta(microseconds=int(text)),
    "u": UUID,
    "b": bytes.fromhex,
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
