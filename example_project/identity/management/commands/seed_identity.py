"""`manage.py seed_identity`: users and clients from a JSON document."""

import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from identity.seeding import seed
from identity.spec import Spec, SpecError

__all__ = ["Command"]

STANDARD_INPUT = "-"


class Command(BaseCommand):
    """Make the users and clients of a specification, or bring them up to date."""

    help = "Make users and clients from a JSON document (see identity.spec)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the document's path."""
        parser.add_argument(
            "spec",
            nargs="?",
            default=STANDARD_INPUT,
            help="path of the JSON document; - or nothing reads standard input",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Read the document and seed the database; running it again is harmless."""
        try:
            spec = Spec.from_json(_read(options["spec"]))
            seed(spec)
        except (OSError, SpecError) as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(
            f"{len(spec.users)} users and {len(spec.clients)} clients are in place."
        )


def _read(name: str) -> str:
    if name == STANDARD_INPUT:
        return sys.stdin.read()
    return Path(name).read_text(encoding="utf-8")
