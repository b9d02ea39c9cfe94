"""Hashing several parts at once."""

from collections.abc import Iterable
from typing import Any, Protocol

__all__ = ["feed"]


class _Hash(Protocol):
    def update(self, data: bytes, /) -> object: ...


def feed(hashed: _Hash, parts: Iterable[Any]) -> None:
    """Hash some parts so that no two lists of parts are the same octets.

    What is no bytes is hashed as its text.
    """
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode(errors="replace")
        hashed.update(len(raw).to_bytes(8, "big") + raw)
