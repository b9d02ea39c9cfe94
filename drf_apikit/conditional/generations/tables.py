"""Which tracked models a statement may write to, by its text.

Rather too many than too few: a model that is taken for written for nothing costs
a few 304s, one that is missed a stale answer. The text does not show what a trigger
writes, or a function in a SELECT; nor what is written through a view or a partition
of another name, or to the tables below a view that is a model.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.apps import apps
from django.db.models import Model

__all__ = ["Statement", "Tracked", "is_plain_read", "label_of", "tracked_by"]

#: Spaces, brackets and comments, but not those that MySQL executes.
_FIRST_WORD: Final = re.compile(
    r"(?:[\s(]|--[^\n]*\n|/\*(?!M?!).*?\*/)*+([a-z]+)", re.DOTALL | re.IGNORECASE
)
_READS: Final = frozenset({"select", "show", "pragma", "savepoint", "release"})
#: They reach tables that they do not name.
_OPAQUE: Final = re.compile(r"\b(?:call|do|execute|truncate|drop)\b")
_CHANGES: Final = re.compile(r"\b(?:insert|update|delete|merge|replace)\b")
_BEGINS: Final = frozenset({"begin", "start"})
_ENDS: Final = frozenset({"commit", "end", "abort", "rollback"})
_END: Final = re.compile(r"\b(?:commit|end|abort|rollback)\b")
_TO_SAVEPOINT: Final = re.compile(r"rollback(?:\s+(?:work|transaction))?\s+to\b")


@dataclass(frozen=True, slots=True)
class Tracked:
    """The tracked models by their label, and the labels by table."""

    models: Mapping[str, type[Model]]
    tables: Mapping[str, frozenset[str]]

    @property
    def labels(self) -> frozenset[str]:
        """All of them."""
        return frozenset(self.models)


@lru_cache(maxsize=32)
def tracked_by(names: frozenset[str]) -> Tracked:
    """Read the setting; names of no model are for the system check to tell."""
    models: dict[str, type[Model]] = {}
    tables: dict[str, frozenset[str]] = {}
    for name in names:
        try:
            model = _concrete(apps.get_model(name))
        except (LookupError, ValueError):
            continue
        label = label_of(model)
        models[label] = model
        for table in _tables_of(model):
            tables[table] = tables.get(table, frozenset()) | {label}
    return Tracked(models, tables)


def label_of(model: type[Model]) -> str:
    """Name a model; a proxy has the name of its rows."""
    return _concrete(model)._meta.label_lower


def is_plain_read(sql: Any) -> bool:
    """Tell it at a glance, as for nearly all statements; False says nothing."""
    return isinstance(sql, str) and sql.startswith("SELECT ") and ";" not in sql


class Statement:
    """What a connection is about to execute."""

    def __init__(self, sql: Any, connection: Any) -> None:
        self._text = _as_text(sql, connection)
        self._word = _first_word(self._text or "")

    def writes(self, tracked: Tracked) -> frozenset[str]:
        """Give the labels of the tracked models that it may write to."""
        if self._text is None:
            return tracked.labels
        several = ";" in self._text.rstrip("; \t\r\n")
        if self._word in _READS and not several:
            return frozenset()
        text = self._text.lower()
        if self._word == "with" and not several and not _CHANGES.search(text):
            return frozenset()
        if _OPAQUE.search(text if several else self._word):
            return tracked.labels
        found = [labels for table, labels in tracked.tables.items() if table in text]
        return frozenset().union(*found)

    @property
    def begins(self) -> bool:
        """Whether it leaves a transaction open."""
        return self._word in _BEGINS and not _END.search((self._text or "").lower())

    @property
    def ends(self) -> bool:
        """Whether it ends a transaction."""
        return self._word in _ENDS and not _TO_SAVEPOINT.search(
            (self._text or "").lower()
        )

    @property
    def returns_rows(self) -> bool:
        """Whether it may give rows of what it writes."""
        return self._text is None or "returning" in self._text.lower()


def _concrete(model: type[Model]) -> type[Model]:
    concrete: Any = model._meta.concrete_model
    found: type[Model] = concrete
    return found


def _as_text(sql: Any, connection: Any) -> str | None:
    """Give the text of what psycopg and others take for a statement as well."""
    if isinstance(sql, str):
        return sql
    if isinstance(sql, bytes):
        return sql.decode(errors="replace")
    if hasattr(sql, "as_string"):
        return str(sql.as_string(connection.connection))
    return None


def _first_word(text: str) -> str:
    match = _FIRST_WORD.match(text)
    return match[1].lower() if match else ""


def _tables_of(model: type[Model]) -> Iterator[str]:
    """Give the tables whose rows make those of a model, as text has them."""
    rows = [model, *model._meta.get_parent_list()]
    models = [*rows, *(table for own in rows for table in _through(own))]
    yield from map(_as_written, [*models, *_cascading(models)])


def _as_written(model: type[Model]) -> str:
    """Leave out a schema and quotes: they may be written differently."""
    name = model._meta.db_table.lower().replace('"', "").replace("`", "")
    return name.rpartition(".")[2]


def _through(model: type[Model]) -> Iterator[type[Model]]:
    """Give the tables of many-to-many relations, from either end."""
    for field in model._meta.get_fields(include_hidden=True):
        if field.many_to_many:
            relation: Any = field if field.auto_created else field.remote_field
            yield relation.through


def _cascading(models: list[type[Model]]) -> set[type[Model]]:
    """Find whose rows take these along in the database (Django 6.1: DB_CASCADE)."""
    found: set[type[Model]] = set()
    ahead: list[Any] = list(models)
    while ahead:
        for field in ahead.pop()._meta.concrete_fields:
            on_delete = getattr(field.remote_field, "on_delete", None)
            target = field.related_model
            if hasattr(on_delete, "on_delete_sql") and target not in found:
                found.add(target)
                ahead.append(target)
    return found
