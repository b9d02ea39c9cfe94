"""Generations that can be used at once: no quarantine lasts."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connections
from pytest_django import Settings

from drf_apikit.conditional import generations
from drf_apikit.conditional.generations.guards import guards_of

__all__ = ["settled", "unwatch"]


@contextmanager
def settled(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    labels: Sequence[str] = ("tests_app.Article",),
    **declared: Any,
) -> Iterator[None]:
    """Keep generations in the empty default cache, asked for behind the quarantine."""
    declared["GENERATIONS"] = list(labels)
    settings.DRF_APIKIT = {"CONDITIONAL": declared}
    models = [apps.get_model(label) for label in labels]
    generations.install()
    try:
        # The first who asks starts the quarantine.
        assert generations.current(models) is None
        later = SimpleNamespace(time=lambda: time.time() + 600)
        monkeypatch.setattr(generations, "time", later)
        assert generations.current(models) is not None
        yield
    finally:
        unwatch()


def unwatch() -> None:
    """Take the guards of generations off all connections of this thread."""
    for opened in connections.all(initialized_only=True):
        for guard in list(guards_of(opened)):
            opened.execute_wrappers.remove(guard)
