"""`manage.py apikit_purge`: delete what has expired."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections, router

from drf_apikit.idempotency.purge import RECORDS
from drf_apikit.purging import BATCH, BusyError, Expiry, purge, registered

__all__ = ["Command"]


class Command(BaseCommand):
    """May run at any time, beside requests and beside another one of it."""

    help = (
        "Delete the idempotency records that have expired, and the sessions of"
        " first-party tokens that are over."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the database, the size of a batch, and whether to count only."""
        parser.add_argument(
            "--database", help="its alias; by default where the router sends rows"
        )
        parser.add_argument(
            "--batch-size",
            type=_size,
            default=BATCH,
            metavar="ROWS",
            help="rows of a transaction, from 1 to 1,000,000 (%(default)s)",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="count them, and delete nothing"
        )

    def handle(self, **options: Any) -> None:
        """Delete or count them; say how many."""
        try:
            options["batch_size"] = _size(options["batch_size"])
        except argparse.ArgumentTypeError as error:
            raise CommandError(f"--batch-size: {error}") from error
        for expiry in (RECORDS, *registered()):
            alias = _alias(expiry, options["database"])
            if router.allow_migrate_model(alias, expiry.model):
                self._purge(expiry, alias, **options)

    def _purge(self, expiry: Expiry, alias: str, **options: Any) -> None:
        size, dry = options["batch_size"], options["dry_run"]
        so_far = 0

        def tell(done: int) -> None:
            nonlocal so_far
            so_far = done
            if options["verbosity"]:
                self.stdout.write(f"{done:,} {expiry.name} deleted so far.")

        try:
            done = purge(expiry, alias, size, dry_run=dry, progress=tell)
        except (BusyError, Error) as error:
            told = f"{alias!r}: {error} ({so_far:,} {expiry.name} deleted)."
            raise CommandError(f"{told} Run it again.") from error
        if options["verbosity"]:
            verb = "would be" if dry else "were"
            told = f"{done:,} expired {expiry.name} {verb} deleted in {alias!r}."
            self.stdout.write(told)


def _alias(expiry: Expiry, given: str | None) -> str:
    alias = router.db_for_write(expiry.model) if given is None else given
    if alias not in connections:
        known = ", ".join(sorted(connections))
        raise CommandError(f"{alias!r} is no database. Name one of {known}.")
    return alias


def _size(given: Any) -> int:
    """Read a size; `call_command` gives what it was given, and no text."""
    digits = str(given)
    # Python refuses to read very many.
    if digits.isdecimal() and len(digits) <= 7 and 1 <= int(digits) <= 1_000_000:
        return int(digits)
    raise argparse.ArgumentTypeError(f"{given!r} is not from 1 to 1,000,000.")
