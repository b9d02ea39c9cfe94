"""A ledger of several gunicorn workers on a PostgreSQL database of its own.

Tokens come from an issuer in this process, whose keys the workers fetch over
loopback. The command line of the runs, and the line that each of them prints.
"""

import argparse
import json
import secrets
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.sql import SQL, Identifier

from demo.guardian import Guardian
from drf_apikit.testing import InMemoryIssuer
from ledger.spec import People, Person
from tests.databases import VENDORS
from tests.torture.server import SECONDS_TO_START, Answer, BrokenError, Server

__all__ = ["Answer", "BrokenError", "Ledger", "conclude", "options"]

DAY: Final = 24 * 3600
AUDIENCE: Final = "https://ledger.test"
OPERATOR: Final = "operator"
ALL: Final = "all"


class Ledger(Server):
    """A running ledger with seeded accounts; a context manager.

    `postgresql` is the URL of a server on which a database can be made.
    """

    application = "ledger.wsgi"
    health = "/healthz"

    def __init__(self, postgresql: str) -> None:
        super().__init__()
        self._server = postgresql
        self._database = f"torture_{secrets.token_hex(6)}"
        parts = urlsplit(postgresql)
        place = (parts.scheme, parts.netloc, f"/{self._database}", parts.query, "")
        self.url = urlunsplit(place)

    def prepare(self, resources: ExitStack) -> None:
        """Make the database, the issuer and the accounts."""
        self._administer("CREATE DATABASE {}")
        resources.callback(self._administer, "DROP DATABASE {} WITH (FORCE)")
        self._issuer = resources.enter_context(_issuer())
        self._seed()

    def environment(self) -> dict[str, str]:
        """Name the database and the issuer."""
        return {
            "DATABASE_URL": self.url,
            "DJANGO_SETTINGS_MODULE": "ledger.settings",
            "INSECURE_HTTP": "1",
            "OIDC_AUDIENCE": AUDIENCE,
            "OIDC_ISSUER": self._issuer.issuer,
        }

    def authorization(self) -> str:
        """Give an Authorization header of the staff, good for a day."""
        return self._issuer.authorization(
            OPERATOR, scope="ledger:read ledger:write", lifetime=DAY
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the database itself."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(SQL(sql)).fetchall()

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(SQL(statement).format(Identifier(self._database)))

    def _seed(self) -> None:
        operator = Person(username=OPERATOR, subjects=[OPERATOR], staff=True)
        people = People(issuer=self._issuer.issuer, persons=[operator])
        (self.folder / "people.json").write_text(people.to_json())
        words = ["django", "seed_ledger", "--rows", "1", "--people", "people.json"]
        with Guardian() as guardian:
            self.start(guardian, words)
            if guardian.wait(SECONDS_TO_START):
                raise RuntimeError(f"Seeding failed: {self.log()}")


def options(
    description: str | None,
    *,
    databases: bool = False,
    choices: Mapping[str, Sequence[str]] | None = None,
    **numbers: int,
) -> argparse.Namespace:
    """Read the command line: `--seed`, and the given numbers with their defaults.

    With `databases` there is `--database`, once for each of them; without it, or
    with `all`, all. Of `choices` the first is the default.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if databases:
        wanted = [*VENDORS, ALL]
        parser.add_argument("--database", action="append", choices=wanted)
    for name, words in (choices or {}).items():
        parser.add_argument(f"--{name}", choices=words, default=words[0])
    for name, default in {**numbers, "seed": secrets.randbelow(10**6)}.items():
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N")
    chosen = parser.parse_args()
    if databases and ALL in (chosen.database or [ALL]):
        chosen.database = list(VENDORS)
    return chosen


def conclude(name: str, counts: Mapping[str, int], wrong: Mapping[str, int]) -> int:
    """Print the line of a run; give the exit code, 1 if anything went wrong."""
    numbers = ", ".join(f"{n} {what}" for what, n in {**counts, **wrong}.items())
    verdict = "FAILED" if any(wrong.values()) else "ok"
    print(f"{name}: {verdict}: {numbers}", flush=True)
    return int(any(wrong.values()))


@contextmanager
def _issuer() -> Iterator[InMemoryIssuer]:
    """Serve discovery and keys on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(documents.get(self.path)).encode()
            self.send_response(200 if self.path in documents else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with _Issuer(("127.0.0.1", 0), Handler) as server:
        place = f"http://127.0.0.1:{server.server_port}"
        issuer = InMemoryIssuer(place, AUDIENCE)
        documents: dict[str, Any] = {
            "/.well-known/openid-configuration": {
                "issuer": place,
                "jwks_uri": f"{place}/keys",
            },
            "/keys": issuer.jwks,
        }
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()


class _Issuer(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        # A worker that is killed while it asks hangs up.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
