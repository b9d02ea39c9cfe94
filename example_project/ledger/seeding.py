"""Books with a believable past: the same rows for the same numbers, every time.

Every account begins with `OPENING`; each transfer can be paid when it happens; the
balances are what the transfers leave. Times are whole hours, so that many rows
share one: the case in which naive pagination loses rows.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.core.management.color import no_style
from django.db import connection, transaction

from ledger.models import Account, Transfer

__all__ = ["ACCOUNTS", "OPENING", "Books", "write_books"]

ACCOUNTS = 1000
OPENING = 1_000_000
LARGEST = 100_000
BATCH = 20_000
SEED = 9457

HOURS = 365 * 24
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
OPENED = (BEGIN - timedelta(days=1)).strftime("%Y-%m-%d %H:%M:%S")
CURRENCIES = ("EUR",) * 6 + ("USD",) * 2 + ("GBP",) * 2
ACCOUNT_NAMES = ("Current account", "Savings", "Household", "Business")
PURPOSES = (
    "invoice",
    "rent",
    "salary",
    "groceries",
    "insurance",
    "electricity",
    "books",
    "travel",
)
PENDING_SHARE = 0.02
REFUNDED_SHARE = 0.02
FROZEN_EVERY = 50

INSERT_ACCOUNT = """
INSERT INTO ledger_account
    (id, owner_id, name, currency, balance, status, version, created, updated_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
INSERT_TRANSFER = """
INSERT INTO ledger_transfer
    (id, source_id, target_id, amount, currency, reference, status, created,
     settled_at, refund_of_id)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
CLOSE_ACCOUNT = """
UPDATE ledger_account SET balance = %s, version = %s, updated_at = %s WHERE id = %s
"""

Row = tuple[str | int | None, ...]


class Books:
    """`rows` transfers between `ACCOUNTS` accounts, made while they are read.

    `balances`, `versions` and `times` of the last change (of account 1 at index 0)
    are final when all the transfers have been read.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.currencies = [CURRENCIES[n % len(CURRENCIES)] for n in range(ACCOUNTS)]
        self.balances = [OPENING] * ACCOUNTS
        self.versions = [1] * ACCOUNTS
        self.times = [OPENED] * ACCOUNTS
        self._random = random.Random(SEED).random
        self._peers = {
            currency: [n for n in range(ACCOUNTS) if self.currencies[n] == currency]
            for currency in set(CURRENCIES)
        }

    def accounts(self, owners: Sequence[int]) -> Iterator[Row]:
        """Give the accounts as rows, with the opening balance; four an owner."""
        share = len(ACCOUNT_NAMES)
        for n in range(ACCOUNTS):
            frozen = (n + 1) % FROZEN_EVERY == 0
            yield (
                n + 1,
                owners[n // share % len(owners)],
                ACCOUNT_NAMES[n % share],
                self.currencies[n],
                OPENING,
                "frozen" if frozen else "active",
                1,
                OPENED,
                OPENED,
            )

    def transfers(self) -> Iterator[Row]:
        """Give the transfers as rows, oldest first."""
        hours = [
            (BEGIN + timedelta(hours=n)).strftime("%Y-%m-%d %H:") for n in range(HOURS)
        ]
        number = 0
        while number < self.rows:
            number += 1
            hour = hours[number * HOURS // (self.rows + 1)]
            source, target, amount = self._order()
            fate = self._random()
            pending = fate < PENDING_SHARE
            refunded = not pending and fate < PENDING_SHARE + REFUNDED_SHARE
            refunded = refunded and number < self.rows
            status = "pending" if pending else "refunded" if refunded else "settled"
            yield self._row(number, source, target, amount, status, hour)
            if not pending:
                self._move(source, target, amount, _minute(hour, number))
            if refunded:
                number += 1
                yield self._row(number, target, source, amount, "settled", hour, 1)
                self._move(target, source, amount, _minute(hour, number))

    def _order(self) -> tuple[int, int, int]:
        chance = self._random
        while True:
            source = int(chance() * ACCOUNTS)
            peers = self._peers[self.currencies[source]]
            target = peers[int(chance() * len(peers))]
            most = min(self.balances[source], LARGEST)
            if most and source != target:
                return source, target, 1 + int(chance() * chance() * most)

    def _move(self, source: int, target: int, amount: int, time: str) -> None:
        self.balances[source] -= amount
        self.balances[target] += amount
        for account in (source, target):
            self.versions[account] += 1
            self.times[account] = max(self.times[account], time)

    def _row(
        self,
        number: int,
        source: int,
        target: int,
        amount: int,
        status: str,
        hour: str,
        back: int = 0,
    ) -> Row:
        purpose = PURPOSES[(number - back) % len(PURPOSES)]
        return (
            number,
            source + 1,
            target + 1,
            amount,
            self.currencies[source],
            f"{purpose} {number - back:07d}",
            status,
            f"{hour}00:00",
            None if status == "pending" else _minute(hour, number),
            number - back if back else None,
        )


def write_books(
    books: Books, owners: Sequence[int], progress: Callable[[int], None]
) -> None:
    """Fill the empty tables; `progress` hears how many transfers are in.

    `owners` are user ids. The driver's own executemany and indexes made at the end
    take a tenth of the time of `bulk_create`.
    """
    # Elsewhere foreign keys lean on these indexes, and transactions hold no DDL.
    indexes = Transfer._meta.indexes if connection.vendor == "sqlite" else []
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.remove_index(Transfer, index)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(INSERT_ACCOUNT, list(books.accounts(owners)))
        rows = books.transfers()
        done = 0
        while batch := list(islice(rows, BATCH)):
            cursor.executemany(INSERT_TRANSFER, batch)
            done += len(batch)
            progress(done)
        states = zip(books.balances, books.versions, books.times, strict=True)
        final = [(*state, pk) for pk, state in enumerate(states, start=1)]
        cursor.executemany(CLOSE_ACCOUNT, final)
        # The ids were given, so the sequences of PostgreSQL still stand at one.
        for sql in connection.ops.sequence_reset_sql(no_style(), [Account, Transfer]):
            cursor.execute(sql)
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.add_index(Transfer, index)


def _minute(hour: str, number: int) -> str:
    return f"{hour}{number % 60:02d}:00"
