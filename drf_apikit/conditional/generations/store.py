"""Generations in the shared cache: their values, and the marks of writers.

Of each model the cache has a value, which is random and never comes twice; marks;
and the epoch, which says since when nothing of it can have been lost.

- A writer marks before its first write: it takes a free slot, or else the
  overflow, which only expires; then it sets a new value. After the commit it
  sets another one, which ends what was taken in case the mark was lost, and then
  gives its slot back.
- A reader fetches all of it at once. It takes the value only where no mark and no
  quarantine is on it, and never one that it has just set itself.

Why no tag made with a value outlives a commit. Say a writer marks at m, commits at
c, and a reader made a tag with value v from data read before c. Was v there before
m, it is gone for good: m set another one. Was v set after m, its reader saw it
before c together with the mark, and so did not take it. Unless the mark was lost:

- The cache was flushed. Then the epoch went too, and who misses it starts one
  whose quarantine is as long as a mark lives, which no transaction outlasts.
- The writer was killed. Its mark stays until it expires, and what is found then
  is a value that was set after m and that nobody has taken.

A reader that sets a value because the old one has ended may do so after m. It does
not take that value before it has seen it without marks. In caches that do not
fetch many keys at one moment the order of the keys matters: a value is read
before the marks that might be on it, and these before the epoch.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from django.core.cache import caches

from drf_apikit.conf import apikit_settings

__all__ = ["SLOTS", "Mark", "finish", "keys_of", "read", "release", "renew", "take"]

#: Transactions that can write to a model at the same time and give their marks back;
#: each is a key more for every reader.
SLOTS: Final = 8

_DAY: Final = 24 * 60 * 60
#: Format, made, usable from, token. Another format counts as no value: releases
#: that run side by side must find each other's keys.
_FORMAT: Final = re.compile(r"1:(\d+\.\d+):(\d+\.\d+):([0-9a-f]{16})")
#: The share of its life after which a mark is left to expire: between the look
#: whether it is the own one and its deletion another writer could have taken it.
_SAFE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Mark:
    """A writer's mark; `key` is where it is."""

    key: str
    token: str
    taken_at: float


@dataclass(frozen=True, slots=True)
class _Value:
    made: float
    usable_from: float
    token: str


@dataclass(frozen=True, slots=True)
class _Keys:
    value: str
    slots: tuple[str, ...]
    overflow: str
    epoch: str

    @property
    def marks(self) -> tuple[str, ...]:
        return (*self.slots, self.overflow)


@cache
def keys_of(label: str) -> _Keys:
    """Name what the cache has of a model. The braces keep it on one node."""
    start = f"drf_apikit:generation:{{{label}}}:"
    slots = tuple(f"{start}slot:{number}" for number in range(SLOTS))
    return _Keys(f"{start}value", slots, f"{start}overflow", f"{start}epoch")


def read(labels: Iterable[str], now: float) -> str | None:
    """Give a text for the generations of these models; None if one is unusable."""
    keys = {label: keys_of(label) for label in labels}
    wanted = [
        key for own in keys.values() for key in (own.value, *own.marks, own.epoch)
    ]
    found = _cache().get_many(wanted)
    # All of them, so that what is missing is made for all at once.
    tokens = {label: _usable(own, found, now) for label, own in keys.items()}
    if None in tokens.values():
        return None
    text = " ".join(f"{label}={token}" for label, token in sorted(tokens.items()))
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def take(label: str, now: float) -> Mark:
    """Mark a model before a write."""
    keys, store, life = keys_of(label), _cache(), _mark_life()
    token, first = secrets.token_hex(8), secrets.randbelow(SLOTS)
    for key in keys.slots[first:] + keys.slots[:first]:
        if store.add(key, token, life):
            break
    else:
        key = keys.overflow
        store.set(key, token, life)
    # Should the mark be lost alone, this value is as good as marked for as long.
    _set(keys.value, now, usable_from=now + life)
    return Mark(key, token, now)


def finish(label: str, mark: Mark, now: float) -> bool:
    """Set a new value after the commit and give the mark back.

    Gives False where the mark was lost before.
    """
    renew(label, now)
    return release(mark, now)


def release(mark: Mark, now: float) -> bool:
    """Give a mark back; False where it was lost before."""
    if mark.key.endswith("overflow"):
        return True
    store = _cache()
    held = bool(store.get(mark.key) == mark.token)
    if held and 0 <= now - mark.taken_at < _SAFE * _mark_life():
        store.delete(mark.key)
    return held


def renew(label: str, now: float) -> None:
    """Set a new value, usable as soon as there are no marks."""
    _set(keys_of(label).value, now)


def _usable(keys: _Keys, found: Mapping[str, Any], now: float) -> str | None:
    value, epoch = _parse(found.get(keys.value)), _parse(found.get(keys.epoch))
    if value is None or epoch is None or epoch.made > now:
        # In this order: a value without its quarantine must never be there.
        text = _text(now, now + _mark_life())
        _cache().set(keys.epoch, text, None)
        _set(keys.value, now)
        return None
    if any(key in found for key in keys.marks):
        return None
    if abs(now - value.made) >= apikit_settings.conditional.generation_life:
        _set(keys.value, now)
        return None
    in_quarantine = now < max(value.usable_from, epoch.usable_from)
    return None if in_quarantine else value.token


def _set(key: str, now: float, *, usable_from: float = 0.0) -> None:
    life = apikit_settings.conditional.generation_life
    _cache().set(key, _text(now, usable_from), life + _DAY)


def _text(made: float, usable_from: float) -> str:
    return f"1:{float(made)!r}:{float(usable_from)!r}:{secrets.token_hex(8)}"


def _parse(text: Any) -> _Value | None:
    match = _FORMAT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    made, usable_from, token = match.groups()
    return _Value(float(made), float(usable_from), token)


def _mark_life() -> int:
    return apikit_settings.conditional.generation_mark_life


def _cache() -> Any:
    return caches[apikit_settings.conditional.cache]
