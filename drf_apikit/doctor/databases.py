"""Whether the databases can do what the blocks rely on."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from django.apps import apps
from django.db import connections, router
from django.db.models import Model

from drf_apikit.doctor.attempts import Attempt
from drf_apikit.doctor.database_vendors import (
    BUSY_TIMEOUT,
    CONNECTIONS,
    ENGINE,
    ISOLATION,
    JOURNAL,
    STRICT,
    TRANSACTIONS,
    WRITABLE,
    clock_of,
    is_writable,
    mysql_findings,
    postgresql_findings,
    sqlite_findings,
)
from drf_apikit.doctor.findings import Context, Examination, Finding, Probe, Subject
from drf_apikit.models import ExternalIdentity, IdempotencyRecord

__all__ = ["PROBE"]

_REACHABLE: Final = "databases.reachable"
_FEATURES: Final = "databases.features"
_CLOCK: Final = "databases.clock"
_VENDORS: Final[Mapping[str, Callable[[Any, Subject], Iterator[Finding]]]] = {
    "postgresql": postgresql_findings,
    "mysql": mysql_findings,
    "sqlite": sqlite_findings,
}
#: What the blocks need, and what they can do without.
_NEEDED: Final[Mapping[str, str]] = {
    "supports_transactions": "transactions",
    "uses_savepoints": "savepoints",
}
_WANTED: Final[Mapping[str, str]] = {
    "has_select_for_update": "SELECT FOR UPDATE",
    "has_select_for_update_skip_locked": "SKIP LOCKED",
    "can_return_columns_from_insert": "RETURNING",
    "supports_ignore_conflicts": "inserts that ignore conflicts",
}
_OURS: Final[tuple[type[Model], ...]] = (IdempotencyRecord, ExternalIdentity)
#: Seconds by which the clocks of hosts may differ.
_SKEW: Final = 5.0


def _examinations(context: Context) -> Iterator[Examination]:
    for alias in context.databases:
        yield Examination(alias, partial(_findings, alias))


def _findings(alias: str) -> Iterator[Finding]:
    connection, subject = connections[alias], Subject(alias)
    with Attempt() as attempt:
        connection.ensure_connection()
    if attempt.failure:
        yield subject.risk(
            _REACHABLE,
            f"{connection.display_name} cannot be used: {attempt.failure}",
            f"Start it, or correct DATABASES[{alias!r}].",
        )
        return
    yield subject.ok(_REACHABLE, f"{_version(connection)}{_modes(connection)}.")
    examine = _VENDORS.get(connection.vendor)
    if examine is None:
        remedy = "Keep records in PostgreSQL, MySQL, MariaDB or SQLite."
        seen = f"Idempotency knows no claim for {connection.display_name}."
        yield subject.risk(_FEATURES, seen, remedy)
        return
    yield _features(connection, subject)
    yield _writable(connection, subject)
    yield _clock(connection, subject)
    yield from examine(connection, subject)


def _version(connection: Any) -> str:
    version = ".".join(map(str, connection.get_database_version()))
    return f"{connection.display_name} {version}"


def _modes(connection: Any) -> str:
    atomic = connection.settings_dict["ATOMIC_REQUESTS"]
    return ", with ATOMIC_REQUESTS" if atomic else ""


def _features(connection: Any, subject: Subject) -> Finding:
    has = partial(getattr, connection.features)
    missing = [text for name, text in _NEEDED.items() if not has(name)]
    if missing:
        seen = f"There are no {' and no '.join(missing)}."
        remedy = "Use a storage engine with transactions, as InnoDB is."
        return subject.risk(_FEATURES, seen, remedy)
    there = [text for name, text in ({**_NEEDED, **_WANTED}).items() if has(name)]
    return subject.ok(_FEATURES, f"{', '.join(there)}.")


def _writable(connection: Any, subject: Subject) -> Finding:
    """See that what is written there can be; a replica may well be read only."""
    reason = is_writable(connection)
    if not reason:
        return subject.ok(WRITABLE, "It can be written to.")
    models = [*_OURS, *apps.get_models()]
    here = [one for one in models if router.db_for_write(one) == connection.alias]
    if not here:
        return subject.ok(WRITABLE, "It is read only, and nothing is written there.")
    return subject.risk(
        WRITABLE,
        f"{reason}, and {here[0]._meta.label} is written there.",
        "Connect to the primary server, or give the account the right to write.",
    )


def _clock(connection: Any, subject: Subject) -> Finding:
    """Compare clocks; the answer may come at any time between two looks."""
    before = time.time()
    told = clock_of(connection)
    after = time.time()
    if told is None:
        return subject.ok(_CLOCK, "It has the clock of this host.")
    late, early = before - told, told - after
    skew = max(late, early, 0.0)
    direction = "behind" if late > 0 else "ahead of"
    if skew > _SKEW:
        return subject.risk(
            _CLOCK,
            f"Its clock is {skew:.1f} seconds {direction} that of this host.",
            "Let both keep time by NTP: expiries are written by one and read by both.",
        )
    return subject.ok(_CLOCK, f"Its clock is within {_SKEW:g} seconds of this host's.")


PROBE: Final = Probe(
    "databases",
    "Each database of DATABASES, or those that --database names. Nothing is written.",
    {
        _REACHABLE: "it can be connected to, by an account that may, in a version that"
        " Django knows; ATOMIC_REQUESTS is told",
        _FEATURES: "it has transactions and savepoints; told is which of SELECT FOR"
        " UPDATE, SKIP LOCKED, RETURNING and inserts that ignore conflicts it has",
        WRITABLE: "it can be written to, where models are written there",
        _CLOCK: f"its clock is within {_SKEW:g} seconds of this host's",
        ISOLATION: "transactions see only what others have committed",
        CONNECTIONS: "PostgreSQL, MySQL, MariaDB: a tenth of its connections is free; a"
        " hint says how to keep or pool them",
        ENGINE: "MySQL, MariaDB: the tables of all models have InnoDB",
        STRICT: "MySQL, MariaDB: values that do not fit are refused (strict mode)",
        TRANSACTIONS: "SQLite: transactions begin as writers",
        JOURNAL: "SQLite: readers and the writer are not in each other's way (WAL)",
        BUSY_TIMEOUT: "SQLite: writers wait for each other for long enough",
    },
    _examinations,
)
