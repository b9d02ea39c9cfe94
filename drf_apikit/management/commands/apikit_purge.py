"""`manage.py apikit_purge`: delete the idempotency records that have expired."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections, router

from drf_apikit.idempotency.claims import ContentionError
from drf_apikit.idempotency.purge import BATCH, purge
from drf_apikit.models import IdempotencyRecord

__all__ = ["Command"]


class Command(BaseCommand):
    """May run at any time, beside requests and beside another one of it."""

    help = "Delete the idempotency records that have expired."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the database, the size of a batch, and whether to count only."""
        parser.add_argument(
            "--database", help="its alias; by default where the router sends records"
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
        alias = _alias(options["database"])
        self.done = 0

        def tell(done: int) -> None:
            self.done = done
            if options["verbosity"]:
                self.stdout.write(f"{done:,} deleted so far.")

        try:
            size, dry = _size(options["batch_size"]), options["dry_run"]
            done = purge(alias, size, dry_run=dry, progress=tell)
        except argparse.ArgumentTypeError as error:
            raise CommandError(f"--batch-size: {error}") from error
        except (ContentionError, Error) as error:
            told = f"{alias!r}: {error} ({self.done:,} deleted). Run it again."
            raise CommandError(told) from error
        if options["verbosity"]:
            verb = "would be" if dry else "were"
            self.stdout.write(f"{done:,} expired records {verb} deleted in {alias!r}.")


def _alias(given: str | None) -> str:
    alias = router.db_for_write(IdempotencyRecord) if given is None else given
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
