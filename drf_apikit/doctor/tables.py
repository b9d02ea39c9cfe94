"""Whether tables, constraints and indexes are in the database as in the models."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from django.apps import apps
from django.db import connections, router
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model

from drf_apikit.doctor.attempts import Attempt
from drf_apikit.doctor.findings import (
    Context,
    Examination,
    Finding,
    Probe,
    Subject,
    some,
)
from drf_apikit.doctor.indexes import absent, invalid
from drf_apikit.doctor.system_checks import messages
from drf_apikit.idempotency.purge import RECORDS
from drf_apikit.pagination import CursorPagination
from drf_apikit.purging import Expiry, registered

__all__ = ["PROBE"]

_MIGRATIONS: Final = "tables.migrations"
_COLUMNS: Final = "tables.columns"
_INDEXES: Final = "tables.indexes"
_INVALID: Final = "tables.invalid"
_ORDERINGS: Final = "tables.orderings"
_EXPIRED: Final = "tables.expired"

#: Our apps, by their labels; the second one is not in every project.
_OURS: Final = ("drf_apikit", "drf_apikit_tokens")
#: Rows of a kind that may have expired before somebody should purge.
_MANY: Final = 100_000


def _examinations(context: Context) -> Iterator[Examination]:
    for alias in context.databases:
        yield Examination(alias, partial(_findings, alias, context))
    yield Examination("lists", _orderings)


def _findings(alias: str, context: Context) -> Iterator[Finding]:
    subject, connection = Subject(alias), connections[alias]
    ours = [one for one in _ours() if router.allow_migrate_model(alias, one)]
    if not ours:
        # Nothing is known of who makes its tables.
        seen = "The database router puts no tables of ours there."
        yield subject.skipped(_MIGRATIONS, seen)
        return
    yield _migrations(connection, subject)
    listed = [one for one in _listed(context) if router.db_for_read(one) == alias]
    models = list(dict.fromkeys([*ours, *listed]))
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
    missing = [one._meta.db_table for one in models if _table(one) not in tables]
    there = [one for one in models if _table(one) in tables]
    missing += [text for one in there for text in _without(connection, one)]
    yield _judged(subject, _COLUMNS, missing, "All tables and columns are there.")
    names = [text for one in there for text in absent(connection, one)]
    told = f"The indexes and constraints of {len(there)} tables are there."
    yield _judged(subject, _INDEXES, names, told)
    if connection.vendor == "postgresql":
        yield _usable(subject, invalid(connection, map(_table, there)))
    purged = [one for one in (RECORDS, *registered()) if one.model in there]
    purged = [one for one in purged if router.db_for_write(one.model) == alias]
    if purged:
        yield _expired(subject, purged)


def _ours() -> Iterator[type[Model]]:
    for label in _OURS:
        if label in apps.app_configs:
            yield from apps.get_app_config(label).get_models()


def _migrations(connection: Any, subject: Subject) -> Finding:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    names = [f"{one.app_label}.{one.name}" for one, _ in plan]
    if names:
        seen = f"{len(names)} migrations are not applied: {some(names)}."
        return subject.risk(_MIGRATIONS, seen, "Run manage.py migrate.")
    return subject.ok(_MIGRATIONS, "All migrations are applied.")


def _listed(context: Context) -> Iterator[type[Model]]:
    """Give the models whose rows are walked by cursors."""
    for view in context.lists():
        paginator = view.get("pagination_class")
        if isinstance(paginator, type) and issubclass(paginator, CursorPagination):
            # A manager of the project's own may raise whatever it likes.
            with Attempt():
                rows = view.rows
                model = None if rows is None else rows.model._meta.concrete_model
                if model is not None and model._meta.managed:
                    yield model


def _without(connection: Any, model: type[Model]) -> Iterator[str]:
    """Give the columns that a table has not."""
    table = _table(model)
    # Django's own way would take SQLite's lock for writers.
    statement = ("SELECT * FROM", connection.ops.quote_name(table), "LIMIT 0")
    with connection.cursor() as cursor:
        cursor.execute(" ".join(statement))
        found = {column[0] for column in cursor.description}
    for field in model._meta.local_concrete_fields:
        if field.column not in found:
            yield f"{table}.{field.column}"


def _judged(subject: Subject, finding: str, missing: list[str], good: str) -> Finding:
    if not missing:
        return subject.ok(finding, good)
    return subject.risk(
        finding,
        f"{len(missing)} missing: {some(missing)}.",
        "Run manage.py migrate; what a migration says was done and was not, make by"
        " hand.",
    )


def _usable(subject: Subject, names: list[str]) -> Finding:
    if not names:
        return subject.ok(_INVALID, "All indexes are valid.")
    return subject.risk(
        _INVALID,
        f"{len(names)} indexes are not used, being invalid: {some(names)}.",
        "REINDEX INDEX CONCURRENTLY, unless one is just being made.",
    )


def _expired(subject: Subject, purged: list[Expiry]) -> Finding:
    numbers = [_waiting(subject.name, one) for one in purged]
    counted = [
        f"{'more than ' if number > _MANY else ''}{min(number, _MANY):,} {one.name}"
        for number, one in zip(numbers, purged, strict=True)
    ]
    told = " and ".join(counted)
    seen = f"{told[0].upper()}{told[1:]} have expired."
    if max(numbers) > _MANY:
        remedy = "Run manage.py apikit_purge regularly, as each hour."
        return subject.risk(_EXPIRED, seen, remedy)
    return subject.ok(_EXPIRED, seen)


def _waiting(alias: str, expiry: Expiry) -> int:
    """Count what waits to be purged, but not much further than is of interest."""
    rows = expiry.model._base_manager.using(alias).filter(expiry.which)
    return rows.order_by()[: _MANY + 1].count()


def _orderings() -> Iterator[Finding]:
    """Tell what the system checks know of orderings that no index serves."""
    subject, found = Subject("lists"), messages("checks.pagination", "drf_apikit.W005")
    for message in found:
        yield subject.risk(_ORDERINGS, message.msg, message.hint or "")
    if not found:
        yield subject.ok(_ORDERINGS, "The models declare an index for each ordering.")


def _table(model: type[Model]) -> str:
    return model._meta.db_table


PROBE: Final = Probe(
    "tables",
    "Our tables, and those behind lists with `CursorPagination`, as the database has"
    " them.",
    {
        _MIGRATIONS: "all migrations are applied",
        _COLUMNS: "the tables and their columns are there",
        _INDEXES: "the unique constraints and indexes of the models are there",
        _INVALID: "PostgreSQL: no index is invalid, as after CREATE INDEX CONCURRENTLY"
        " that has failed",
        _ORDERINGS: "the models declare an index for each ordering of a list"
        " (`drf_apikit.W005`)",
        _EXPIRED: f"at most {_MANY:,} idempotency records wait to be purged, and as"
        " many sessions of first-party tokens",
    },
    _examinations,
)
