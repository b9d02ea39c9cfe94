"""`manage.py apikit_keys`: see the keys that sign, change them, or end one."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from drf_apikit.oidc import KeysUnavailableError
from drf_apikit.tokens.keyring import (
    Change,
    KeyRingError,
    RingKey,
    SigningRing,
    current_ring,
)

__all__ = ["Command"]

_COLUMNS: Final = ("kid", "algorithm", "state", "created", "active from", "dead from")


class Command(BaseCommand):
    """May run at any time, beside requests and beside another one of it."""

    help = "See the keys that sign tokens of this project, change them, or end one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do."""
        what = parser.add_subparsers(dest="what", required=True)
        rotate = what.add_parser("rotate", help="make the next key")
        rotate.add_argument(
            "--now",
            action="store_true",
            help="have it sign at once; the old one still verifies (after a theft:"
            " retire)",
        )
        rotate.add_argument(
            "--if-due", action="store_true", help="only if the schedule wants it"
        )
        listing = what.add_parser("list", help="tell of all keys")
        listing.add_argument(
            "--format", choices=["text", "json"], default="text", help="of the output"
        )
        retire = what.add_parser(
            "retire",
            help="end a key in an emergency: all that it signed is refused; with the"
            " one that signs the next one ends too, and a new one signs at once",
        )
        retire.add_argument("kid", metavar="KID", help="as `list` tells it")

    def handle(self, **options: Any) -> None:
        """Do it, and tell."""
        try:
            self.stdout.write(_ACTS[options["what"]](current_ring(), options))
        except (KeyRingError, KeysUnavailableError) as error:
            raise CommandError(str(error)) from error


def _rotate(ring: SigningRing, options: dict[str, Any]) -> str:
    change = ring.rotate(now=options["now"], if_due=options["if_due"])
    return _told(ring, change)


def _retire(ring: SigningRing, options: dict[str, Any]) -> str:
    change = ring.retire(options["kid"])
    told = _told(ring, change)
    if len(change.retired) > 1:
        told += "\nThe next key ended too: it lay beside the one that signed."
    return told


def _list(ring: SigningRing, options: dict[str, Any]) -> str:
    keys = ring.entries()
    if options["format"] == "json":
        return json.dumps([_document(key) for key in keys], indent=2)
    if not keys:
        return "There are no keys: the first one is made when it is needed."
    lines = [_COLUMNS, *(_row(key) for key in keys)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


_ACTS: Final[Mapping[str, Callable[[SigningRing, dict[str, Any]], str]]] = {
    "rotate": _rotate,
    "list": _list,
    "retire": _retire,
}


def _told(ring: SigningRing, change: Change) -> str:
    """Say in a line for each key what has become of it."""
    if not change:
        return "Nothing to do: there is a next key, or none is due."
    known = {key.kid: key for key in ring.entries()}
    lines = [
        f"{kid} signs from {_when(known[kid].active_from)} on." for kid in change.added
    ]
    lines += [
        f"{kid} is dead from {_when(known[kid].dead_from)} on."
        for kid in change.retired
    ]
    return "\n".join(lines)


def _document(key: RingKey) -> dict[str, str | None]:
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": key.state.value,
        "created_at": _stamp(key.created_at),
        "active_from": _stamp(key.active_from),
        "dead_from": _stamp(key.dead_from),
    }


def _row(key: RingKey) -> tuple[str, ...]:
    times = (key.created_at, key.active_from, key.dead_from)
    return (key.kid, key.algorithm, key.state.value, *map(_when, times))


def _when(moment: datetime | None) -> str:
    return _stamp(moment) or "-"


def _stamp(moment: datetime | None) -> str | None:
    """Write a moment in UTC, as ISO 8601 and RFC 3339 have it."""
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
