"""Generations that can be used at once: no quarantine lasts."""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connections
from pytest_django import Settings

from drf_apikit.conditional import generations
from drf_apikit.conditional.generations.guards import guards_of
from tests.app.models import Article

__all__ = ["settled"]


@contextmanager
def settled(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, *labels: str, **more: Any
) -> Iterator[None]:
    """Keep generations in the default cache, as of a time when all marks are over."""
    declared: dict[str, Any] = {"GENERATION_MARK_LIFE": 1, **more}
    declared["GENERATIONS"] = ["tests_app.Article", *labels]
    settings.DRF_APIKIT = {"CONDITIONAL": declared}
    clock = itertools.count(time.time() + 2, 2)
    later = SimpleNamespace(time=lambda: next(clock))
    monkeypatch.setattr(generations, "time", later)
    generations.install()
    assert generations.current([Article]) is None
    assert generations.current([Article]) is not None
    try:
        yield
    finally:
        for opened in connections.all(initialized_only=True):
            for guard in list(guards_of(opened)):
                opened.execute_wrappers.remove(guard)
