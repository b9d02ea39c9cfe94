"""The two services of the demo, in a folder that goes when the demo goes.

Each process runs under a guardian: whatever ends the demo, a kill included, stops
the services and removes the folder.
"""

import http.client
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

from django.core.management.base import CommandError

from demo.cast import APP_CLIENT, CUSTOMERS, WEB_CLIENT, WORKER_CLIENT, Cast
from demo.guardian import Guardian
from demo.requirements import LOOPBACK

__all__ = ["MANAGE", "ROOT", "Services"]

ROOT = Path(__file__).resolve().parents[1]
MANAGE = ROOT / "manage.py"
SECONDS_TO_START = 60.0
SECONDS_BETWEEN_LOOKS = 0.05
SECONDS_TO_STOP = 4.0
THREADS = 8
LOG_LINES = 15
# What the shell has exported for a real installation stays out of the demo.
FOREIGN = frozenset(
    {
        "ALLOWED_HOSTS",
        "BEHIND_PROXY",
        "CSRF_TRUSTED_ORIGINS",
        "DATABASE_URL",
        "DEBUG",
        "GUNICORN_CMD_ARGS",
        "LEDGER_PASSWORD",
        "LEDGER_URL",
        "LEDGER_USERNAME",
        "LOG_LEVEL",
        "OIDC_AUDIENCE",
        "OIDC_ISSUER",
        "OIDC_RP_CLIENT_ID",
        "OIDC_RP_CLIENT_SECRET",
        "PORT",
        "REDIS_URL",
        "SECRET_KEY",
        "STATIC_ROOT",
        "SWAGGER_AUTHORIZE_URL",
        "SWAGGER_CLIENT_ID",
        "SWAGGER_TOKEN_URL",
        "TOKENS_AUDIENCE",
        "TOKENS_ISSUER",
        "WEB_CONCURRENCY",
    }
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one service runs and with what."""

    name: str
    port: int
    env: Mapping[str, str]


class Services:
    """The provider and the API; a context manager that leaves nothing behind.

    `identity_env` is what the provider is told besides.
    """

    def __init__(
        self,
        cast: Cast,
        *,
        port: int,
        identity_port: int,
        identity_env: Mapping[str, str] | None = None,
    ) -> None:
        self.cast = cast
        self.api = f"http://{LOOPBACK}:{port}"
        # By name, so that the browser keeps the cookies of the two apart.
        self.issuer = f"http://localhost:{identity_port}"
        self._resources = ExitStack()
        name = f"drf-apikit-demo-{secrets.token_hex(6)}"
        self.folder = Path(tempfile.gettempdir()).resolve() / name
        self._keeper = Guardian()
        identity = {**self._identity_env(), **(identity_env or {})}
        self._places = {
            "identity": Place("identity", identity_port, identity),
            "ledger": Place("ledger", port, self._ledger_env()),
        }
        self._servers: dict[str, Guardian] = {}

    def __enter__(self) -> Self:
        self._resources.enter_context(self._keeper.start(remove=[self.folder]))
        self.folder.mkdir(mode=0o700)
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._resources.close()

    def seed(self, rows: int) -> None:
        """Make both databases: the provider's while the ledger's is filled."""
        persons, spec = self.cast.ledger_people(self.issuer), self._spec()
        people = self.write("people.json", persons.to_json())
        with Guardian() as identity, Guardian() as ledger:
            self._django(identity, "identity", ["migrate", "--verbosity", "0"])
            command = ["seed_ledger", "--rows", str(rows), "--people", str(people)]
            self._django(ledger, "ledger", command)
            self._finish(identity, "identity")
            with Guardian() as seeding:
                self._django(seeding, "identity", ["seed_identity", str(spec)])
                self._finish(seeding, "identity")
            self._finish(ledger, "ledger")

    def start(self) -> None:
        """Start both servers; return when they answer."""
        for place in self._places.values():
            guardian = Guardian(grace=SECONDS_TO_STOP)
            self._servers[place.name] = self._resources.enter_context(guardian)
            self._run(guardian, place, _gunicorn(place, self.folder))
        deadline = time.monotonic() + SECONDS_TO_START
        for place in self._places.values():
            while not _answers(place.port):
                self._check(place.name, deadline)
                time.sleep(SECONDS_BETWEEN_LOOKS)

    def watch(self) -> None:
        """Return never, or raise CommandError when a service has ended."""
        while True:
            for name in self._servers:
                self._check(name, float("inf"))
            time.sleep(SECONDS_BETWEEN_LOOKS * 10)

    @property
    def worker_env(self) -> dict[str, str]:
        """What the worker has to be told."""
        return {
            "INSECURE_HTTP": "1",
            "LEDGER_URL": self.api,
            "OIDC_ISSUER": self.issuer,
            "WORKER_CLIENT_ID": WORKER_CLIENT,
            "WORKER_CLIENT_SECRET": self.cast.worker_secret,
        }

    @property
    def mobile_env(self) -> dict[str, str]:
        """What the mobile app has to be told."""
        person = CUSTOMERS[0]
        return {
            "LEDGER_URL": self.api,
            "LEDGER_USERNAME": person,
            "LEDGER_PASSWORD": self.cast.app_passwords[person],
        }

    def work(self, file: Path) -> tuple[int, str]:
        """Run the worker to its end; give its exit code and what it said."""
        return self._manage(self.worker_env, "worker", str(file))

    def manage(self, *words: str) -> tuple[int, str]:
        """Run a command of the ledger to its end; give likewise."""
        return self._manage(self._places["ledger"].env, *words)

    def _manage(self, env: Mapping[str, str], *words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, str(MANAGE), *words],
            env={**_environment(), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS_TO_START,
            check=False,
        )
        return done.returncode, done.stdout

    def _spec(self) -> Path:
        return self.write("identity.json", self.cast.identity_spec(self.api).to_json())

    def _identity_env(self) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "identity.settings",
            "IDENTITY_DATABASE_URL": self._database_url("identity"),
            "IDENTITY_ISSUER": self.issuer,
            "IDENTITY_RESOURCE": self.api,
            "IDENTITY_SIGNING_KEY_FILE": f"{self.folder}/signing_key.pem",
        }

    def _ledger_env(self) -> dict[str, str]:
        return {
            "ALLOWED_HOSTS": f"{LOOPBACK},localhost",
            "DATABASE_URL": self._database_url("ledger"),
            "DJANGO_SETTINGS_MODULE": "ledger.settings",
            "INSECURE_HTTP": "1",
            "OIDC_AUDIENCE": self.api,
            "OIDC_ISSUER": self.issuer,
            "OIDC_RP_CLIENT_ID": WEB_CLIENT,
            "OIDC_RP_CLIENT_SECRET": self.cast.web_secret,
            "SECRET_KEY": secrets.token_hex(32),
            "SERVE_STATIC": "1",
            "SWAGGER_AUTHORIZE_URL": f"{self.issuer}/authorize/",
            "SWAGGER_CLIENT_ID": APP_CLIENT,
            "SWAGGER_TOKEN_URL": f"{self.issuer}/token/",
            "TOKENS_AUDIENCE": self.api,
            "TOKENS_ISSUER": self.api,
        }

    def _database_url(self, name: str) -> str:
        return f"sqlite:///{quote(str(self.folder))}/{name}.sqlite3"

    def write(self, name: str, text: str) -> Path:
        """Write a file into the folder that goes with the demo."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def _django(self, guardian: Guardian, name: str, words: Sequence[str]) -> None:
        command = [sys.executable, "-m", "django", *words]
        # The progress bar of the ledger is for the terminal.
        self._run(guardian, self._places[name], command, shown=name == "ledger")

    def _run(
        self,
        guardian: Guardian,
        place: Place,
        command: Sequence[str],
        *,
        shown: bool = False,
    ) -> None:
        with self._log(place.name).open("ab") as log:
            guardian.start(
                command,
                env={**_environment(), **place.env},
                cwd=self.folder,
                log=None if shown else log,
                outlived_by=self._keeper,
            )

    def _finish(self, guardian: Guardian, name: str) -> None:
        if guardian.wait():
            raise CommandError(f"Seeding failed ({name}).\n{self._tail(name)}")

    def _check(self, name: str, deadline: float) -> None:
        if self._servers[name].poll() is not None:
            raise CommandError(f"{name} has ended.\n{self._tail(name)}")
        if time.monotonic() > deadline:
            raise CommandError(f"{name} does not answer.\n{self._tail(name)}")

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _tail(self, name: str) -> str:
        log = self._log(name)
        text = log.read_text(errors="replace") if log.exists() else ""
        return "\n".join(text.splitlines()[-LOG_LINES:])


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in FOREIGN and not name.startswith(("IDENTITY_", "WORKER_"))
    }
    # The API fetches the provider's keys from this machine, never by a proxy.
    return {**kept, "PYTHONPATH": str(ROOT), "no_proxy": "*", "NO_PROXY": "*"}


def _gunicorn(place: Place, folder: Path) -> list[str]:
    words = [sys.executable, "-m", "gunicorn", f"{place.name}.wsgi"]
    words += ["--bind", f"{LOOPBACK}:{place.port}"]
    words += ["--worker-class", "gthread", "--threads", str(THREADS)]
    words += ["--worker-tmp-dir", str(folder), "--no-control-socket"]
    words += ["--graceful-timeout", "2", "--log-level", "warning"]
    return words


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
