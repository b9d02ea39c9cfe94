"""Generations: what lets a 304 be answered without a query, and never stale.

Each model of the setting `GENERATIONS` has a random value in a cache that all
processes share. As long as it has not changed, nothing was committed to the
model's tables, and a tag made with it is right. `store` has the
protocol, and why it holds.

Every statement on Django's connections is looked at, in all processes, so that
bulk updates, cascades, commands and raw SQL count. Say `invalidate()` for what
does not pass there: other programs, COPY, `callproc()`, the driver's own cursors,
triggers and functions. What remains:

- A transaction must end within `GENERATION_MARK_LIFE` after its last statement,
  and be opened by Django, or by a BEGIN in Django's cursor: MySQL's drivers do not
  tell of their own. With `AUTOCOMMIT` off there are no generations.
- The cache must be one for all processes, set marks atomically, not hide its
  failures, and never come back with old values: no dump, no replica that lags.
- Whoever reads rows asks for `current()` first, before the transaction has read
  anything, and reads them where they are written, not from a replica.
"""

import logging
import time
from collections.abc import Collection, Iterable
from typing import Any

from django.core.signals import request_finished, setting_changed
from django.db import connections
from django.db.backends.signals import connection_created
from django.db.models import Model

from drf_apikit.conditional.generations import store
from drf_apikit.conditional.generations.guards import (
    DEBTS,
    WriteGuard,
    finish,
    guards_of,
    tracked_models,
)
from drf_apikit.conditional.generations.tables import label_of

__all__ = ["current", "install", "invalidate", "tracked"]

logger = logging.getLogger("drf_apikit.conditional")


def install() -> None:
    """Look at what every connection executes; once, when the app is ready."""
    connection_created.connect(_on_connection, dispatch_uid="drf_apikit.generations")
    request_finished.connect(_on_request_end, dispatch_uid="drf_apikit.generations")
    setting_changed.connect(_on_setting, dispatch_uid="drf_apikit.generations")
    for connection in connections.all(initialized_only=True):
        _watch(connection)


def tracked() -> frozenset[type[Model]]:
    """Give the models whose generations are kept."""
    return frozenset(tracked_models().models.values())


def current(models: Collection[type[Model]], *, now: float | None = None) -> str | None:
    """Give a short text that stands for the generations of all these models.

    None where one of them is not tracked or unusable for now. Ask before the rows
    are read, and before the transaction has read anything at all.
    """
    labels = _labels(models)
    if not labels or not labels <= tracked_models().labels:
        return None
    _settle_all()
    try:
        return store.read(labels, time.time() if now is None else now)
    except Exception:
        # Whatever the cache does, the view can ask the database.
        logger.warning("Cannot read generations from the cache", exc_info=True)
        return None


def invalidate(*models: type[Model]) -> None:
    """Say that rows were written where Django's connections do not pass.

    Say it after the commit of another program; within Django's transaction, if
    that is where it was.
    """
    labels = _labels(models) & tracked_models().labels
    for connection in connections.all(initialized_only=True):
        for guard in guards_of(connection):
            guard.join(labels)
    for label in labels:
        finish(label, None)


def _labels(models: Iterable[type[Model]]) -> frozenset[str]:
    return frozenset(label_of(model) for model in models)


def _watch(connection: Any) -> None:
    """Put the guard in front, unless there is nothing to do or it is there.

    The first wrapper is the outermost. And it must not be the last: who leaves a
    `with connection.execute_wrapper()` takes away the last one.
    """
    if tracked_models().models and not any(guards_of(connection)):
        connection.execute_wrappers.insert(0, WriteGuard(connection))


def _settle_all() -> None:
    for connection in connections.all(initialized_only=True):
        for guard in guards_of(connection):
            guard.settle()


def _on_connection(*, connection: Any, **_: object) -> None:
    _watch(connection)
    for guard in guards_of(connection):
        guard.settle()


def _on_request_end(**_: object) -> None:
    _settle_all()
    DEBTS.pay()


def _on_setting(*, setting: str, **_: object) -> None:
    if setting == "DRF_APIKIT":
        for connection in connections.all(initialized_only=True):
            _watch(connection)
