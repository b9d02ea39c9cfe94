"""Django's backend for PostgreSQL, which knows the steps of a protected request."""

from collections.abc import Callable
from typing import Any, Final

from django.db.backends.postgresql import base

from tests.torture.stepped.steps import Step, now

__all__ = ["DatabaseWrapper"]

RECORDS: Final = '"drf_apikit_idempotency"'


class DatabaseWrapper(base.DatabaseWrapper):
    """Comes to those steps that are statements."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(_watch)

    def commit(self) -> None:
        """Come to the steps at the end of the transaction with the answer."""
        if not now.stored:
            super().commit()
            return
        if now.end == Step.COMMITTING:
            session = self.connection.pgconn
            session.send_query(b"COMMIT")
            session.flush()
            now.reach(Step.COMMITTING)
        super().commit()
        now.reach(Step.COMMITTED)


def _watch(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
) -> Any:
    words = str(sql)
    if RECORDS in words and not now.claimed:
        now.reach(Step.CLAIMING)
        result = execute(sql, params, many, context)
        now.claimed = True
        now.reach(Step.CLAIMED, Step.READ)
        return result
    result = execute(sql, params, many, context)
    if words.startswith('UPDATE "ledger_account"'):
        now.reach(Step.MOVING)
    elif words.startswith('INSERT INTO "ledger_transfer"'):
        now.reach(Step.MOVED)
    elif words.startswith(f"UPDATE {RECORDS}"):
        now.stored = True
        now.reach(Step.STORED)
    return result
