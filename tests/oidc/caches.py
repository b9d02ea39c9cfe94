"""A cache that all threads share, with a clock and faults that tests set."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

__all__ = ["MEMORY", "SETTINGS", "ClockedCache", "Memory"]

SETTINGS: Final = {"default": {"BACKEND": "tests.oidc.caches.ClockedCache"}}


@dataclass
class Memory:
    """What the cache has: values and when they expire; what each call does first."""

    clock: Callable[[], float] = lambda: 0.0
    values: dict[str, tuple[Any, float]] = field(default_factory=dict)
    before: Callable[[str], object] = lambda _: None
    calls: list[str] = field(default_factory=list)
    closed_by: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.RLock)

    def reset(self, clock: Callable[[], float]) -> None:
        """Empty and mend it."""
        # Not by name: a thread of the test before may still be at it.
        vars(self).update(vars(Memory(clock)))

    def named(self, part: str) -> list[str]:
        """Give the keys that have a part in their names and live."""
        with self.lock:
            alive = [k for k, (_, end) in self.values.items() if end > self.clock()]
        return [key for key in alive if part in key]


MEMORY: Final = Memory()


class ClockedCache(BaseCache):
    """An instance for each thread, as with all of Django's caches."""

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def add(
        self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> bool:
        self._begin("add")
        with MEMORY.lock:
            if self._get(self.make_key(key, version)) is not None:
                return False
            self._put(self.make_key(key, version), value, timeout)
            return True

    def get(self, key: str, default: Any = None, version: Any = None) -> Any:
        self._begin("get")
        with MEMORY.lock:
            found = self._get(self.make_key(key, version))
        return default if found is None else found

    def set(
        self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> None:
        self._begin("set")
        with MEMORY.lock:
            self._put(self.make_key(key, version), value, timeout)

    def delete(self, key: str, version: Any = None) -> bool:
        self._begin("delete")
        with MEMORY.lock:
            return MEMORY.values.pop(self.make_key(key, version), None) is not None

    def close(self, **_: Any) -> None:
        MEMORY.closed_by.append(threading.current_thread().name)

    @staticmethod
    def _begin(name: str) -> None:
        MEMORY.calls.append(name)
        MEMORY.before(name)

    @staticmethod
    def _get(key: str) -> Any:
        value, end = MEMORY.values.get(key, (None, 0.0))
        return value if end > MEMORY.clock() else None

    @staticmethod
    def _put(key: str, value: Any, timeout: Any) -> None:
        assert timeout > 0
        MEMORY.values[key] = (value, MEMORY.clock() + timeout)
