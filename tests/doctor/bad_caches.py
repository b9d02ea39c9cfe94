"""Caches that do one thing wrong."""

import json
import os
import threading
import time
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache

__all__ = [
    "Eternal",
    "Forgetful",
    "HalfBroken",
    "Hanging",
    "Json",
    "Lists",
    "Picky",
    "Private",
    "Unlocked",
]


class Eternal(LocMemCache):
    """One in which nothing expires."""

    def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> Any:
        del timeout


class Forgetful(LocMemCache):
    """One that keeps nothing for a few seconds only."""

    def set(self, key: Any, value: Any, timeout: Any = 60, version: Any = None) -> None:
        super().set(key, value, timeout if timeout > 2 else 0, version)


class Hanging(LocMemCache):
    """One whose `add` never returns."""

    def add(self, *_: Any, **__: Any) -> bool:
        return threading.Event().wait()


class Json(LocMemCache):
    """One with a serializer that does not know all of Python's values."""

    def set(self, key: Any, value: Any, timeout: Any = 60, version: Any = None) -> None:
        super().set(key, json.dumps(value), timeout, version)

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        found = super().get(key, default, version)
        return found if found is default else json.loads(found)


class Picky(LocMemCache):
    """One for texts alone, which gives nothing else back."""

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        found = super().get(key, default, version)
        return str(found) if isinstance(found, float) else found


class Unlocked(LocMemCache):
    """One whose `add` looks first, and then writes."""

    def add(self, key: Any, value: Any, timeout: Any = 60, version: Any = None) -> bool:
        if self.get(key, version=version) is not None:
            return False
        time.sleep(0.005)
        self.set(key, value, timeout, version)
        return True


class HalfBroken(LocMemCache):
    """One that can do all but `add`, and cannot be emptied."""

    def add(self, key: Any, *_: Any, **__: Any) -> bool:
        raise ConnectionError(key)

    def delete_many(self, keys: Any, *_: Any, **__: Any) -> None:
        raise ConnectionError(keys)


class Lists(LocMemCache):
    """One with a serializer that knows no tuples, which can be done without."""

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        found = super().get(key, default, version)
        return list(found) if isinstance(found, tuple) else found


class Private(FileBasedCache):
    """One in which processes have keys of their own, as a KEY_PREFIX may be."""

    def make_key(self, key: Any, version: Any = None) -> str:
        return f"{os.getpid()}:{super().make_key(key, version)}"
