"""The findings as a table for people, and as a document for programs."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from drf_apikit import __version__
from drf_apikit.doctor.findings import Finding, Status

__all__ = ["FORMAT", "SCHEMA", "document", "table"]

#: Members may be added to a document; if one changes or goes, this changes.
FORMAT: Final = 1
_GAP: Final = 2
#: Columns for what was seen and the remedy, at the least.
_NARROWEST: Final = 40
_HEAD: Final = ("probe", "status", "what was seen, and the remedy")

_COUNT: Final = {"type": "integer", "minimum": 0}
_NAMES: Final = [str(status) for status in Status]
SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "What manage.py apikit_doctor --json writes",
    "type": "object",
    "required": ["format", "version", "examined_at", "status", "summary", "findings"],
    "properties": {
        "format": {"const": FORMAT},
        "version": {"type": "string"},
        "examined_at": {"type": "string", "format": "date-time"},
        "status": {"enum": [str(Status.OK), str(Status.RISK)]},
        "summary": {
            "type": "object",
            "required": _NAMES,
            "properties": dict.fromkeys(_NAMES, _COUNT),
        },
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "probe", "subject", "status", "seen", "remedy"],
                "properties": {
                    "id": {"type": "string", "pattern": r"^[a-z]+\.[a-z0-9_]+$"},
                    "probe": {"type": "string", "pattern": "^[a-z]+$"},
                    "subject": {"type": "string"},
                    "status": {"enum": _NAMES},
                    "seen": {"type": "string"},
                    "remedy": {"type": ["string", "null"]},
                },
                # A risk without a remedy helps nobody.
                "if": {"properties": {"status": {"const": str(Status.RISK)}}},
                "then": {"properties": {"remedy": {"type": "string", "minLength": 1}}},
            },
        },
    },
}


def document(findings: Sequence[Finding], now: float) -> dict[str, Any]:
    """Write them as `SCHEMA` has it; `now` is in seconds since the epoch."""
    summary = Counter(str(found.status) for found in findings)
    return {
        "format": FORMAT,
        "version": __version__,
        "examined_at": datetime.fromtimestamp(now, UTC).isoformat(),
        "status": str(Status.RISK if summary[Status.RISK] else Status.OK),
        "summary": {name: summary[name] for name in _NAMES},
        "findings": [
            {
                "id": found.id,
                "probe": found.probe,
                "subject": found.subject,
                "status": str(found.status),
                "seen": found.seen,
                "remedy": found.remedy or None,
            }
            for found in findings
        ],
    }


def table(findings: Sequence[Finding], width: int) -> Iterator[str]:
    """Write them in lines of that many characters, unless a word is longer."""
    first = max(len(name) for name in (_HEAD[0], *(one.id for one in findings)))
    second = max(map(len, (_HEAD[1], *_NAMES)))
    start = first + second + 2 * _GAP
    room = max(width - start, _NARROWEST)
    gap = " " * _GAP
    yield f"{_HEAD[0]:<{first}}{gap}{_HEAD[1]:<{second}}{gap}{_HEAD[2]}"
    yield f"{'-' * first}{gap}{'-' * second}{gap}{'-' * min(room, len(_HEAD[2]))}"
    for found in findings:
        lines = list(_lines(found, room))
        yield f"{found.id:<{first}}{gap}{found.status:<{second}}{gap}{lines[0]}"
        yield from (" " * start + line for line in lines[1:])


def _lines(found: Finding, room: int) -> Iterator[str]:
    subject = f"{found.subject}: " if found.subject else ""
    yield from _wrapped(f"{subject}{found.seen}", room, "")
    if found.remedy:
        yield from _wrapped(found.remedy, room, "-> ")


def _wrapped(text: str, room: int, begin: str) -> list[str]:
    return textwrap.wrap(
        text,
        room,
        initial_indent=begin,
        subsequent_indent=" " * len(begin),
        break_long_words=False,
        break_on_hyphens=False,
    )
