"""How the tests look at what a save has written."""

import re
from collections.abc import Callable
from typing import Any, Final

from django.db import connection
from django.test.utils import CaptureQueriesContext

from drf_apikit.models import VersionedModel
from tests.app.models import Document

__all__ = ["MOVED", "OWN", "column", "elsewhere", "statements", "updates", "version_of"]

#: What each save of a row moves.
MOVED: Final = {"version", "updated_at"}
#: And of a document, which has a column with `auto_now`.
OWN: Final = {*MOVED, "touched"}

_UPDATE: Final = re.compile(r"UPDATE \S+ SET (.*) WHERE", re.DOTALL)
_COLUMN: Final = re.compile(r'(?:^|, )["`](\w+)["`] = ')


def statements(call: Callable[[], Any]) -> list[str]:
    """Give the statements of a call."""
    with CaptureQueriesContext(connection) as captured:
        call()
    return [query["sql"] for query in captured]


def updates(call: Callable[[], Any]) -> list[set[str]]:
    """Give the columns of each UPDATE of a call."""
    parts = [_UPDATE.match(sql) for sql in statements(call)]
    return [set(_COLUMN.findall(part[1])) for part in parts if part]


def version_of(row: VersionedModel) -> int:
    """Give the number in the database."""
    version: int = column(row, "version")
    return version


def column(row: VersionedModel, name: str) -> Any:
    """Give what a column holds in the database."""
    rows = type(row).objects.filter(pk=row.pk)
    return rows.values_list(name, flat=True).get()


def elsewhere(row: VersionedModel, **values: Any) -> None:
    """Be another transaction, which does not tell."""
    Document.objects.filter(pk=row.pk).update(version=version_of(row), **values)
