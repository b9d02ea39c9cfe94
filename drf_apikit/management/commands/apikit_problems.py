"""`manage.py apikit_problems`: list the problem types, or hold them to a lock."""

import json
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from drf_apikit.problems.catalogue import fingerprint
from drf_apikit.problems.registry import problem_types

__all__ = ["Command"]

_LOCK: Final = "problem-types.lock.json"


class Command(BaseCommand):
    """Clients tell failures apart by their types: once published, they stay."""

    help = "List the problem types; write a lock file, or compare with it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take one of the two, with the file's name where it is another."""
        what = parser.add_mutually_exclusive_group()
        for name, text in (
            ("--lock", "write what clients rely on to FILE"),
            ("--check", "fail if a type of FILE has vanished or changed"),
        ):
            what.add_argument(
                name, nargs="?", const=_LOCK, metavar="FILE", help=f"{text} ({_LOCK})"
            )

    def handle(self, **options: Any) -> None:
        """Do one of the three."""
        if options["lock"] is not None:
            self._lock(Path(options["lock"]))
        elif options["check"] is not None:
            self._check(Path(options["check"]))
        else:
            for kind in problem_types().values():
                self.stdout.write(f"{kind.status}  {kind.slug:<34}{kind.title}")

    def _lock(self, path: Path) -> None:
        text = json.dumps(_published(), indent=2, sort_keys=True)
        try:
            path.write_text(f"{text}\n", "utf-8")
        except OSError as error:
            raise CommandError(f"Cannot write {path}: {error.strerror}") from error
        self.stdout.write(f"Locked {len(problem_types())} problem types in {path}.")

    def _check(self, path: Path) -> None:
        locked, current = _read(path), _published()
        broken = [_difference(slug, locked[slug], current.get(slug)) for slug in locked]
        faults = list(filter(None, broken))
        if faults:
            advice = "Give a new type a new slug; --lock again only before a release."
            raise CommandError("\n".join([*faults, advice]))
        added = len(current.keys() - locked.keys())
        self.stdout.write(
            f"{len(locked)} problem types are as locked in {path}; {added} are new."
        )


def _published() -> dict[str, Any]:
    return {slug: fingerprint(kind) for slug, kind in problem_types().items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        locked = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CommandError(f"Cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{path} is no lock file: {error}") from error
    if not isinstance(locked, dict) or not all(map(_is_entry, locked.values())):
        raise CommandError(f"{path} is no lock file.")
    return locked


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("members"), dict)


def _difference(slug: str, locked: Any, current: Any) -> str | None:
    """Say what a client would trip over; members may be added."""
    if current is None:
        return f"{slug} has vanished."
    if locked.get("status") != current["status"]:
        return f"{slug} has another status."
    for name, schema in locked["members"].items():
        if current["members"].get(name) != schema:
            return f"{slug}: the member {name!r} has changed or vanished."
    return None
