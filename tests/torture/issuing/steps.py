"""The steps of a refresh, the end of a worker at one of them, and a weaker refresh."""

import os
import signal
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import QuerySet

from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import rotation
from drf_apikit.tokens.sessions.transactions import unless_outdated

__all__ = ["HEADER", "UNGUARDED", "Step", "now", "watch"]

#: A request with it is the last one of its worker.
HEADER: Final = "Torture-Kill-At"
WORKERS: Final = "workers"
#: Paths that begin so rotate by reading first and writing then.
UNGUARDED: Final = "/read-then-write"
VARIABLE: Final = "HTTP_" + HEADER.upper().replace("-", "_")
SWAP: Final = ("UPDATE", "drf_apikit_token_session")


class Step(StrEnum):
    """Where a worker is killed."""

    SWAPPING = "before the swap"
    SWAPPED = "before its COMMIT"
    ANSWERING = "before the answer"


class Request(threading.local):
    """The request of this thread: where it is to end, and whether it is careless."""

    end: str = ""
    is_unguarded: bool = False

    def begin(self, environ: Mapping[str, Any]) -> None:
        """Note what a request of WSGI is to be."""
        self.end = environ.get(VARIABLE, "")
        self.is_unguarded = environ["PATH_INFO"].startswith(UNGUARDED)

    def reach(self, step: Step) -> None:
        """Kill this process if the step is the one."""
        if self.end == step:
            # Before the end, so that nobody kills another process of this number.
            Path(WORKERS, str(os.getpid())).unlink(missing_ok=True)
            os.kill(os.getpid(), signal.SIGKILL)


def watch() -> None:
    """Come to the steps on all connections that are made from now on."""
    connection_created.connect(_watch, dispatch_uid=__name__)
    vars(rotation)["unless_outdated"] = _swap


def _watch(connection: BaseDatabaseWrapper, **_: object) -> None:
    # A connection that is made anew has it already.
    if _step not in connection.execute_wrappers:
        connection.execute_wrappers.append(_step)


def _swap(rows: QuerySet[TokenSession], **values: Any) -> bool:
    """Swap as the engine does, or look first and write then, as is usual."""
    if not now.is_unguarded:
        return unless_outdated(rows, **values)
    found = rows.first()
    if found is None:
        return False
    return bool(TokenSession.objects.filter(pk=found.pk).update(**values))


def _step(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
) -> Any:
    if not all(word in str(sql) for word in SWAP):
        return execute(sql, params, many, context)
    now.reach(Step.SWAPPING)
    result = execute(sql, params, many, context)
    now.reach(Step.SWAPPED)
    return result


now: Final = Request()
