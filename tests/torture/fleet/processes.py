"""Several gunicorns with one worker each, and what one asks them.

All of it goes when the process that started it ends, whatever ends it.
"""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Final

from demo.guardian import Guardian
from tests.torture.server import BrokenError, Client

__all__ = ["NOTES", "Processes"]

ROOT: Final = Path(__file__).resolve().parents[3]
PROGRAM: Final = Path(__file__).with_name("clocked.py")
CLOCK: Final = "clock"
#: One line for each event: when, which process, what.
NOTES: Final = "notes"
THREADS: Final = 8
#: The connection that is not for tokens.
OWN_LANE: Final = -1
SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.005
LOGGED: Final = 10_000
KEPT_VARIABLES: Final = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
GUNICORN: Final = """
preload_app = True
worker_class = "gthread"
keepalive = 86400
control_socket_disable = True
"""


class Processes:
    """So many processes in one folder, and connections to each of them."""

    #: What gunicorn runs, and what runs a management command.
    application: ClassVar[str] = "tests.torture.fleet.site"
    manager: ClassVar[str] = "tests.torture.fleet.manage"

    def __init__(self, count: int, resources: ExitStack) -> None:
        self.count = count
        name = f"drf-apikit-fleet-{secrets.token_hex(6)}"
        self.folder = Path(tempfile.gettempdir()).resolve() / name
        self._resources = resources
        self._keeper = Guardian()
        self._gunicorns: list[Guardian] = []
        self._clients: dict[tuple[int, int], Client] = {}
        self._environment: dict[str, str] = {}
        resources.enter_context(self._keeper.start(remove=[self.folder]))
        self.folder.mkdir(mode=0o700)
        resources.callback(self.hang_up)

    @property
    def clock(self) -> Path:
        """The file with the time."""
        return self.folder / CLOCK

    def start(self, **variables: str) -> None:
        """Start them all, and return when they answer."""
        self._environment = self._variables() | variables
        (self.folder / "gunicorn.conf.py").write_text(GUNICORN)
        for number in range(self.count):
            words = ["gunicorn", self.application, "--workers", "1"]
            words += ["--bind", f"unix:{self._socket(number).name}"]
            words += ["--threads", str(THREADS), "--log-level", "warning"]
            words += ["--worker-tmp-dir", str(self.folder)]
            guardian = Guardian(stop_signal="INT", grace=0.1)
            self._resources.enter_context(guardian)
            self._start(guardian, words)
            self._gunicorns.append(guardian)
        for number in range(self.count):
            self._wait_for(number, None)

    def command(self, *words: str) -> str:
        """Run a management command; give what it says.

        Raises:
            RuntimeError: it has failed.

        """
        return self.run(self.manager, *words)

    def run(self, *words: str) -> str:
        """Run a module with arguments, likewise."""
        done = subprocess.run(
            self._program(words),
            env=self._environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        if done.returncode:
            raise RuntimeError(f"{words} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def begin(
        self, number: int, lane: int, path: str, token: str | None, body: Any = None
    ) -> Client:
        """Send a request to a process but for its end, on one of its connections."""
        place = (number, lane)
        if place not in self._clients:
            self._clients[place] = Client(self._socket(number))
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        method = "GET" if body is None else "POST"
        self._clients[place].begin(method, path, body, headers)
        return self._clients[place]

    def state(self, number: int) -> Any:
        """Ask a process which it is, and what it is busy with."""
        try:
            client = self.begin(number, OWN_LANE, "/state", None)
            client.complete()
            return client.answer().json()
        except BrokenError:
            self.hang_up(number)
            raise

    def settle(self, meanwhile: Callable[[], object]) -> None:
        """Wait until no process does anything in the background."""
        deadline = time.monotonic() + SECONDS
        for number in range(self.count):
            while busy := self.state(number)["busy"]:
                meanwhile()
                self._pause(number, deadline, f"busy with {busy}")

    def kill(self, numbers: Sequence[int]) -> None:
        """Kill workers (SIGKILL); return when others have taken their places."""
        victims = {number: self.state(number)["pid"] for number in numbers}
        for number, pid in victims.items():
            self.hang_up(number)
            os.kill(pid, signal.SIGKILL)
        for number, pid in victims.items():
            self._wait_for(number, pid)

    def notes(self) -> list[list[str]]:
        """Give what they have noted, as the words of each line."""
        path = self.folder / NOTES
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split() for line in lines]

    def log(self) -> str:
        """Give the end of what they have written."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-LOGGED:] if path.exists() else ""

    def _socket(self, number: int) -> Path:
        return self.folder / f"socket-{number}"

    def _program(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, str(PROGRAM), str(self.clock), *words]

    def _variables(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        return kept | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "example_project"), str(ROOT)]),
            "SECRET_KEY": secrets.token_hex(32),
            "no_proxy": "*",
        }

    def _start(self, guardian: Guardian, words: Sequence[str]) -> None:
        with (self.folder / "log").open("ab") as log:
            guardian.start(
                self._program(words),
                env=self._environment,
                cwd=self.folder,
                log=log,
                outlived_by=self._keeper,
            )

    def _wait_for(self, number: int, old: int | None) -> None:
        """Wait until a process answers that is another one than before."""
        deadline = time.monotonic() + SECONDS
        while self._pid(number) in {old, None}:
            self._pause(number, deadline, "not there")

    def _pid(self, number: int) -> int | None:
        try:
            pid: int = self.state(number)["pid"]
        except BrokenError:
            return None
        return pid

    def _pause(self, number: int, deadline: float, why: str) -> None:
        gone = self._gunicorns[number].poll() is not None
        if gone or time.monotonic() > deadline:
            raise RuntimeError(f"Process {number} is {why}: {self.log()}")
        time.sleep(LOOK_SECONDS)

    def hang_up(self, *numbers: int) -> None:
        """Close the connections to some processes, or to all."""
        wanted = numbers or range(self.count)
        for place in [place for place in self._clients if place[0] in wanted]:
            self._clients.pop(place).close()
