"""`manage.py worker FILE`: make the payments of a file, each of them once."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from worker.ledger_api import LedgerAPI, RefusedError
from worker.payments import COLUMNS, Payment, read_payments

__all__ = ["Command"]

REFUSED = 1
#: Nothing was done, or nobody knows what.
FAILED = 2
#: For as long as the ledger knows a key.
AGAIN = (
    "Run it again within a day: what is paid stays paid once; later look into the"
    " books first."
)


class Command(BaseCommand):
    """Pays by the API with a token of the worker's own, then looks into the books."""

    help = (
        f"Make the payments of a CSV file with the columns {', '.join(COLUMNS)}. The"
        " id of a payment is its idempotency key, which the ledger knows for a day: so"
        " long a file can be run again, as after a failure, and each payment is made"
        " once. Exit code 1: some were refused; 2: it did not get to the end."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file."""
        parser.add_argument("file", type=Path, metavar="FILE")

    def handle(self, **options: Any) -> None:
        """Read all, pay, and look into the books."""
        own: Any = settings
        if own.MISSING:
            names = ", ".join(own.MISSING)
            raise CommandError(f"Set in the environment: {names}.", returncode=FAILED)
        try:
            payments = read_payments(options["file"])
        except (OSError, ValueError) as error:
            raise CommandError(str(error), returncode=FAILED) from error
        api = LedgerAPI(own.LEDGER_URL)
        self.stdout.write(f"Payments: {len(payments)}, at {own.LEDGER_URL}")
        try:
            made = self._pay(api, payments)
            self._look_up(api, made)
        except requests.RequestException as error:
            raise CommandError(
                f"Not at the end: {error}\n{AGAIN}", returncode=FAILED
            ) from error
        if refused := len(payments) - len(made):
            raise CommandError(
                f"Refused: {refused} of {len(payments)}.", returncode=REFUSED
            )

    def _pay(self, api: LedgerAPI, payments: Sequence[Payment]) -> set[int]:
        made = set()
        for payment in payments:
            try:
                paid = api.pay(payment)
            except RefusedError as refusal:
                self.stdout.write(f"  {payment}  refused")
                self.stdout.write(f"    {refusal.title}. {refusal.detail}")
                for error in refusal.errors:
                    self.stdout.write(f"      {error}")
                continue
            made.add(paid.transfer)
            how = "paid before" if paid.before else "paid"
            self.stdout.write(f"  {payment}  {how}, transfer {paid.transfer}")
        return made

    def _look_up(self, api: LedgerAPI, made: set[int]) -> None:
        """Follow the pages until all are found: newest first, so soon."""
        if not made:
            return
        left, pages = set(made), 0
        try:
            for page in api.transfers():
                pages += 1
                left -= {transfer["id"] for transfer in page}
                if not left:
                    break
        except RefusedError as refusal:
            raise CommandError(f"The books: {refusal}", returncode=FAILED) from refusal
        if left:
            raise CommandError(f"Not in the books: {sorted(left)}", returncode=FAILED)
        where = "1 page" if pages == 1 else f"{pages} pages"
        self.stdout.write(f"In the books: {len(made)}, on {where}.")
