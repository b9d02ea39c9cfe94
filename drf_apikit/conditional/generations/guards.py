"""Who marks: an execute wrapper on each connection."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

from drf_apikit.conditional.generations import store
from drf_apikit.conditional.generations.tables import (
    Statement,
    Tracked,
    is_plain_read,
    tracked_by,
)
from drf_apikit.conf import apikit_settings

__all__ = ["DEBTS", "WriteGuard", "finish", "guards_of", "tracked_models"]

logger = logging.getLogger("drf_apikit.conditional")

#: Seconds between two attempts at a cache that has failed.
PAUSE: Final = 5
#: The share of its life after which a mark is taken anew.
_YOUNG: Final = 1 / 3


class WriteGuard:
    """The outermost execute wrapper of a connection: marks what is written.

    Marks that are still there when no transaction is open are those of a rollback,
    for which Django has no hook; they are finished with whatever comes next.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._marks: dict[str, store.Mark | None] = {}
        self._driver: Any = None
        self._began: Any = None
        self._running = 0

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: Any,
        params: Any,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        """Mark, execute, and finish where that was all."""
        self.settle()
        DEBTS.pay()
        models = tracked_models()
        if not models.tables or (not self._marks and is_plain_read(sql)):
            return execute(sql, params, many, context)
        statement = Statement(sql, self._connection)
        # Other wrappers, and a cache in the database, have statements of their own.
        self._running += 1
        try:
            self._mark([*statement.writes(models), *self._marks])
            result = execute(sql, params, many, context)
        except BaseException:
            self._running -= 1
            self.settle(answered=False)
            raise
        self._running -= 1
        self._follow(statement)
        # SQLite commits only when the rows of such a statement have been fetched.
        if self._connection.vendor != "sqlite" or not statement.returns_rows:
            self.settle()
        return result

    def join(self, labels: Iterable[str]) -> None:
        """Mark as well what else the open transaction, if any, writes."""
        if self._is_open():
            self._mark(labels)

    def settle(self, *, answered: bool = True) -> None:
        """Finish all marks, unless a transaction or a statement is under way.

        Where a COMMIT has had no answer it may still take effect: then the marks
        are left to expire.
        """
        if not self._marks or self._is_open():
            return
        marks, self._marks = self._marks, {}
        certain = self._is_certain(answered=answered)
        for label, mark in marks.items():
            if certain or mark is None:
                finish(label, mark)

    def _mark(self, labels: Iterable[str]) -> None:
        """Take the marks that are missing; those that grow old are taken anew."""
        for label in labels:
            mark = self._marks.get(label)
            if label in self._marks and not (DEBTS.is_time() and _is_due(mark)):
                continue
            self._marks[label] = _take(label) or mark
            if mark is not None and self._marks[label] is not mark:
                _release(mark)
        if self._marks:
            self._driver = self._connection.connection
            self._listen()

    def _listen(self) -> None:
        """Have the commit tell; again, if a rollback has dropped the request.

        One that is there is at no greater risk than the statement at hand: what
        would drop it undoes that as well.
        """
        connection = self._connection
        if connection.in_atomic_block and not any(
            self.settle in entry for entry in connection.run_on_commit
        ):
            connection.on_commit(self.settle, robust=True)

    def _follow(self, statement: Statement) -> None:
        """Note a transaction that was opened in SQL, past Django."""
        if statement.begins:
            self._began = self._connection.connection
        elif statement.ends:
            self._began = None

    def _is_open(self) -> bool:
        connection = self._connection
        driver = connection.connection
        if driver is None:
            return False
        if self._running or connection.in_atomic_block or not connection.autocommit:
            return True
        return _in_transaction(driver, began=self._began is driver)

    def _is_certain(self, *, answered: bool) -> bool:
        """Tell whether the database is done with all that it was told."""
        connection = self._connection
        if connection.connection is None:
            return not connection.errors_occurred
        if connection.connection is not self._driver:
            return False
        proven = answered and not connection.errors_occurred
        return bool(proven or connection.is_usable())


def tracked_models() -> Tracked:
    """Give the tracked models and their tables."""
    try:
        return tracked_by(apikit_settings.conditional.generations)
    except ImproperlyConfigured:
        # A system check tells, and so does the view. It is no statement's fault.
        return tracked_by(frozenset())


def guards_of(connection: Any) -> Iterator[WriteGuard]:
    """Give the guard of a connection, if it has one."""
    for wrapper in connection.execute_wrappers:
        if isinstance(wrapper, WriteGuard):
            yield wrapper


class Debts:
    """Models whose new value could not be set; tried again now and then."""

    def __init__(self) -> None:
        self.labels: set[str] = set()
        self.next_attempt = 0.0

    def pay(self) -> None:
        """Try again, if it is time."""
        if not self.labels or not self.is_time():
            return
        for label in self.labels.copy():
            self.labels.discard(label)
            finish(label, None)

    def is_time(self) -> bool:
        """Tell whether the last failure is long enough ago."""
        return time.monotonic() >= self.next_attempt

    def wait(self) -> None:
        """Note a failure."""
        self.next_attempt = time.monotonic() + PAUSE


DEBTS: Final = Debts()


def _in_transaction(driver: Any, *, began: bool) -> bool:
    """Ask the driver, which may have opened one by itself; MySQL's do not know."""
    status = getattr(getattr(driver, "info", None), "transaction_status", None)
    if status is not None:
        # psycopg: 0 is idle.
        return bool(status)
    return bool(getattr(driver, "in_transaction", began))


def _is_due(mark: store.Mark | None) -> bool:
    if mark is None:
        return True
    life = apikit_settings.conditional.generation_mark_life
    return not 0 <= time.time() - mark.taken_at < life * _YOUNG


def _take(label: str) -> store.Mark | None:
    try:
        return store.take(label, time.time())
    except Exception:
        # The write is worth more; a 304 may be stale until the cache is back.
        logger.exception("Cannot mark that %s is written", label)
        DEBTS.wait()
        return None


def _release(mark: store.Mark) -> None:
    try:
        store.release(mark, time.time())
    except Exception:
        # It expires.
        logger.exception("Cannot give the mark %s back", mark.key)


def finish(label: str, mark: store.Mark | None) -> None:
    """Set a new generation, and give the mark back if there is one."""
    try:
        if mark is None:
            store.renew(label, time.time())
        elif not store.finish(label, mark, time.time()):
            logger.warning(
                "A mark of %s was lost: the cache was flushed, or the transaction was"
                " idle for longer than GENERATION_MARK_LIFE",
                label,
            )
    except Exception:
        logger.exception("Cannot set a new generation of %s", label)
        DEBTS.labels.add(label)
        DEBTS.wait()
