"""Fill an empty ledger with books that look lived in."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from ledger.models import Account
from ledger.people import write_people
from ledger.progress import ProgressBar
from ledger.seeding import ACCOUNTS, Books, write_books
from ledger.spec import People

__all__ = ["Command"]

ACCOUNTS_PER_CUSTOMER = 4


class Command(BaseCommand):
    """`manage.py seed_ledger --rows 100000 --people FILE`."""

    help = "Migrate an empty database and fill it with accounts and transfers."
    # There is nothing to check the models against before the migration.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the number of transfers and who owns the accounts."""
        parser.add_argument("--rows", type=int, default=100_000, metavar="N")
        parser.add_argument(
            "--people",
            type=Path,
            required=True,
            metavar="FILE",
            help="JSON: an issuer, and persons with their subjects there.",
        )

    def handle(self, **options: Any) -> None:
        """Migrate and fill."""
        people = _people(options["people"])
        rows = options["rows"]
        if rows < 1:
            raise CommandError("--rows must be 1 or more.")
        call_command("migrate", verbosity=0, interactive=False)
        if Account.objects.exists():
            raise CommandError("The ledger has accounts already.")
        bar = ProgressBar(sys.stdout, rows, "transfers", "made, now the indexes")
        bar.show(0)
        owners = write_people(people, ACCOUNTS // ACCOUNTS_PER_CUSTOMER)
        write_books(Books(rows), owners, bar.show)
        bar.clear()


def _people(file: Path) -> People:
    try:
        return People.from_json(file.read_text())
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CommandError(f"{file}: {error!r}") from error
