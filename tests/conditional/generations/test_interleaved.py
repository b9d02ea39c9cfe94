"""The protocol of generations against a toy store, in thousands of interleavings.

Each call of the cache may be interrupted by other writers and readers, or be the
last that its process makes. No reader may ever accept a tag whose data is not
current.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from pytest_django import Settings

from drf_apikit.conditional.generations import store

LIFE = 200
MARK_LIFE = 20
DEPTH = 3
#: Of its own: keys are made once, and here there are fewer slots.
LABEL = "toy.row"
STEPS = 500


class KilledError(Exception):
    """The process is gone."""


class InterruptedCache(LocMemCache):
    """Lets others go on before each call."""

    interrupt: Callable[[], None] = staticmethod(lambda: None)

    def get(self, *args: Any, **options: Any) -> Any:
        type(self).interrupt()
        return super().get(*args, **options)

    def set(self, *args: Any, **options: Any) -> None:
        type(self).interrupt()
        super().set(*args, **options)

    def add(self, *args: Any, **options: Any) -> bool:
        type(self).interrupt()
        return super().add(*args, **options)

    def delete(self, *args: Any, **options: Any) -> bool:
        type(self).interrupt()
        return super().delete(*args, **options)


@dataclass
class World:
    """A store with one number for its data, writers, and the tags of readers."""

    rng: random.Random
    clock: SimpleNamespace
    data: int = 0
    depth: int = 0
    accepted: int = 0
    tags: set[tuple[str, int]] = field(default_factory=set)
    open: list[store.Mark] = field(default_factory=list)
    committed: list[store.Mark] = field(default_factory=list)

    def step(self) -> None:
        """Do something; a process that is killed in it is heard of no more."""
        actions = [self.begin, self.commit, self.finish, self.read, self.read]
        with suppress(KilledError):
            self.rng.choice(actions)()

    def begin(self) -> None:
        self.open.append(store.take(LABEL, self.clock.now))

    def commit(self) -> None:
        if self.open:
            mark = self.open.pop(self.rng.randrange(len(self.open)))
            fate = self.rng.choice(["commit", "commit", "roll back", "die"])
            if fate == "commit" and self.clock.now - mark.taken_at < MARK_LIFE:
                self.data += 1
            if fate != "die":
                self.committed.append(mark)

    def finish(self) -> None:
        if self.committed:
            mark = self.committed.pop(self.rng.randrange(len(self.committed)))
            if self.rng.random() < 0.8:
                store.finish(LABEL, mark, self.clock.now)

    def read(self) -> None:
        before = self.data
        tag = store.read([LABEL], self.clock.now)
        if tag is None:
            return
        for name, data in self.tags:
            if name == tag:
                self.accepted += 1
                assert data >= before, "a stale 304"
        self.interrupt()
        self.tags.add((tag, self.data))

    def interrupt(self) -> None:
        if self.depth >= DEPTH:
            return
        chance = self.rng.random()
        if chance < 0.004:
            raise KilledError
        if chance < 0.008:
            cache.clear()
        if chance < 0.15:
            self.depth += 1
            self.step()
            self.depth -= 1


@pytest.fixture
def world(
    request: pytest.FixtureRequest,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    clock = SimpleNamespace(now=1_000_000.0)
    fake = SimpleNamespace(time=lambda: clock.now)
    for backend in ("base", "locmem"):
        monkeypatch.setattr(f"django.core.cache.backends.{backend}.time", fake)
    monkeypatch.setattr(store, "SLOTS", 2)
    settings.CACHES = {
        "default": {"BACKEND": f"{__name__}.InterruptedCache", "LOCATION": "toy"}
    }
    settings.DRF_APIKIT = {
        "CONDITIONAL": {"GENERATION_LIFE": LIFE, "GENERATION_MARK_LIFE": MARK_LIFE}
    }
    cache.clear()
    made = World(random.Random(request.param), clock)
    monkeypatch.setattr(InterruptedCache, "interrupt", staticmethod(made.interrupt))
    return made


@pytest.mark.parametrize("world", range(25), indirect=True)
def test_no_reader_accepts_what_is_not_current(world: World) -> None:
    for _ in range(STEPS):
        world.step()
        if world.rng.random() < 0.25:
            world.clock.now += world.rng.choice([0.1, 1, 5, 19, 21, LIFE / 2])
    assert world.data > 0
    assert world.accepted > 0
