"""`manage.py demo`: the whole example in one command, and nothing left of it."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from demo.requirements import MOST_ROWS, check_installed, check_space, choose_ports

__all__ = ["Command"]

ROWS = 100_000
HIGHEST_PORT = 65535
SIGNALLED = 128


class Command(BaseCommand):
    """Seeds, starts, shows; with `--check` tries every step by itself."""

    help = (
        "Start the ledger API and its OpenID provider with example data in a"
        " throw-away folder, and print curl lines to try. Ctrl-C ends it all."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what can be chosen; nothing has to be."""
        parser.add_argument(
            "--rows",
            type=_rows,
            default=ROWS,
            metavar="N",
            help=f"transfers to seed (default {ROWS:,}, at most {MOST_ROWS:,})",
        )
        parser.add_argument(
            "--port", type=_port, metavar="N", help="of the API (default: a free one)"
        )
        parser.add_argument(
            "--identity-port",
            type=_port,
            metavar="N",
            help="of the OpenID provider (default: a free one)",
        )
        parser.add_argument(
            "--check",
            action="store_true",
            help="make every step by itself, say what came back, and stop",
        )

    def handle(self, **options: Any) -> None:
        """Run until Ctrl-C, or until the check is done."""
        check_installed()
        check_space(Path(tempfile.gettempdir()), options["rows"])
        port, identity_port = choose_ports(options["port"], options["identity_port"])
        # It needs the packages that were looked for just now.
        play = import_string("demo.show.play")
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _leave)
        try:
            play(
                self.stdout,
                ports=(port, identity_port),
                rows=options["rows"],
                color=_color(options),
                check=options["check"],
            )
        except BrokenPipeError:
            # Nobody reads any more (as in `demo | head`), so nothing is said.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(SIGNALLED + signal.SIGPIPE)
        except OSError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("\nStopped. Both services and their folder are gone.")
            if options["check"]:
                sys.exit(SIGNALLED + signal.SIGINT)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    """Turn a signal into an ordinary end, on which everything is cleaned up."""
    sys.exit(SIGNALLED + number)


def _color(options: dict[str, Any]) -> bool | None:
    if options["no_color"]:
        return False
    return True if options["force_color"] else None


def _rows(text: str) -> int:
    return _whole_number(text, MOST_ROWS)


def _port(text: str) -> int:
    return _whole_number(text, HIGHEST_PORT)


def _whole_number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:20]) <= most):
        raise argparse.ArgumentTypeError(f"a whole number from 1 to {most:,}, please")
    return int(text)
