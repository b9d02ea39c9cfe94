"""An empty database of one's own, on a server or in a file."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import dj_database_url
from django.db import DEFAULT_DB_ALIAS
from django.db.utils import ConnectionHandler

from demo.guardian import Guardian
from tests.services import start

__all__ = ["fresh_database"]

#: How a server forgets a database whose users may still be there.
DROP: Final = {
    "postgresql": "DROP DATABASE {} WITH (FORCE)",
    "mariadb": "DROP DATABASE {}",
}


@contextmanager
def fresh_database(vendor: str, url: str = "") -> Iterator[dict[str, Any]]:
    """Give Django's settings of a database that is gone in the end.

    It is on the server at `url`; without one a server is started.
    """
    if vendor == "sqlite":
        folder = Path(tempfile.gettempdir()) / f"drf-apikit-{secrets.token_hex(8)}"
        with Guardian().start(remove=[folder]):
            folder.mkdir(mode=0o700)
            yield dict(dj_database_url.parse(f"sqlite:///{folder / 'db'}"))
        return
    service = None if url else start(vendor)
    try:
        given = dict(dj_database_url.parse(service.url if service else url))
        name = f"torture_{secrets.token_hex(6)}"
        _administer(given, f"CREATE DATABASE {name}")
        try:
            yield {**given, "NAME": name}
        finally:
            _administer(given, DROP[vendor].format(name))
    finally:
        if service is not None:
            service.stop()


def _administer(settings: dict[str, Any], statement: str) -> None:
    connection = ConnectionHandler({DEFAULT_DB_ALIAS: settings})[DEFAULT_DB_ALIAS]
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()
