"""A guarded temporary folder in which test servers run, as root or not.

As root the commands run as an unprivileged user that owns the folder: PostgreSQL
refuses to run as root, and nothing here needs to.
"""

import os
import secrets
import shutil
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

# As manage.py and pytest see the example, for `python -m` from the checkout.
sys.path.append(str(Path(__file__).parents[1] / "example_project"))
from demo.guardian import Guardian

__all__ = ["Sandbox", "free_port", "open_to_all", "server_path"]

UNPRIVILEGED: Final = 65534
SERVER_FOLDERS: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")
# Open to all users, for when TMPDIR lies in a folder that is not.
SYSTEM_TEMPORARY: Final = Path(os.sep, "tmp")
START_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.01
PORTS_TRIED: Final = 5
PORT_TAKEN: Final = "ddress already in use"


class Sandbox:
    """A guarded temporary folder, and the commands that run in it."""

    def __init__(self, name: str, resources: ExitStack) -> None:
        self._resources = resources
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        self.password = secrets.token_hex(16)
        self.folder = self._root() / f"drf-apikit-{name}-{secrets.token_hex(8)}"
        self._guardian = Guardian().start(remove=[self.folder])
        resources.enter_context(self._guardian)
        self.folder.mkdir(mode=0o700)
        self._give(self.folder)

    def write(self, name: str, text: str) -> Path:
        """Make a file that only the server's user can read."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        self._give(path)
        return path

    def reachable(self, folder: Path, *beside: Path) -> Path:
        """Give the folder, or a copy of it and of those beside it.

        The unprivileged user cannot run a server below /root, for example.
        """
        if self._user is None or open_to_all(folder):
            return folder
        common = Path(os.path.commonpath([folder, *beside]))
        for original in (folder, *beside):
            copy = self.folder / "copy" / original.relative_to(common)
            shutil.copytree(original, copy, ignore=shutil.ignore_patterns("include"))
        for path in (self.folder / "copy").rglob("*"):
            self._give(path)
        self._give(self.folder / "copy")
        return self.folder / "copy" / folder.relative_to(common)

    def run(self, command: Sequence[str | Path]) -> None:
        """Run a command to its end; raise RuntimeError when it fails."""
        # Killed in the middle, initdb would leave shared memory behind.
        with Guardian(stop_signal="CONT", grace=START_SECONDS) as guardian:
            log = self._start(guardian, command)
            if guardian.wait(START_SECONDS):
                raise RuntimeError(
                    f"{command[0]} failed: {log.read_text(errors='replace')}"
                )

    def serve(
        self,
        command: Callable[[int], Sequence[str | Path]],
        answers: Callable[[int], bool],
        stop_signal: str = "TERM",
    ) -> int:
        """Start a server on a free port; give the port when it answers."""
        for _ in range(PORTS_TRIED):
            port = free_port()
            guardian = Guardian(stop_signal=stop_signal)
            self._resources.enter_context(guardian)
            log = self._start(guardian, command(port))
            deadline = time.monotonic() + START_SECONDS
            while guardian.poll() is None and time.monotonic() < deadline:
                if answers(port):
                    return port
                time.sleep(LOOK_SECONDS)
            # Between the look for a free port and the bind another may take it.
            if PORT_TAKEN not in log.read_text(errors="replace"):
                raise RuntimeError(
                    f"No answer on port {port}: {log.read_text(errors='replace')}"
                )
        raise RuntimeError(f"No free port found in {PORTS_TRIED} attempts.")

    def _start(self, guardian: Guardian, command: Sequence[str | Path]) -> Path:
        environment = {
            name: os.environ[name]
            for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
            if name in os.environ
        }
        home = str(self.folder)
        log = self.folder / f"log-{secrets.token_hex(4)}"
        with log.open("xb") as output:
            guardian.start(
                command,
                env=environment
                | {"PATH": server_path(), "LC_ALL": "C", "HOME": home, "TMPDIR": home},
                cwd=self.folder,
                log=output,
                user=self._user,
                outlived_by=self._guardian,
            )
        return log

    def _give(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user, self._user, follow_symlinks=False)

    def _root(self) -> Path:
        default = Path(tempfile.gettempdir())
        if self._user is None or open_to_all(default):
            return default
        return SYSTEM_TEMPORARY


def server_path() -> str:
    """Give the PATH to find servers on; a normal user's often lacks sbin."""
    return os.pathsep.join(filter(None, [os.environ.get("PATH"), *SERVER_FOLDERS]))


def open_to_all(path: Path) -> bool:
    """Tell whether every user may enter it, or run it."""
    real = path.resolve()
    return all(part.stat().st_mode & stat.S_IXOTH for part in (real, *real.parents))


def free_port() -> int:
    """Give a loopback port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
