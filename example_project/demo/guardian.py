"""Stop a command and remove folders when the process that started them dies.

A program of its own, standard library only, and a small class to start it:

    python guardian.py [--remove FOLDER]... [--stop-signal INT|TERM|CONT]
        [--grace SECONDS] [--user UID --group GID] [-- COMMAND ...]

The starter holds the write end of a pipe to the guardian's standard input. The
system closes it when the starter ends, whatever ends it (SIGKILL too), and the
guardian then stops the command's process group, removes the folders and exits.
It lives in a session of its own, so neither Ctrl-C nor the kill of the starter's
process group reaches it.
"""

import argparse
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

__all__ = ["Guardian"]

STOP_SIGNALS = ("INT", "TERM", "CONT")
NOT_FOUND = 127
SIGNALLED = 128
LOOK_SECONDS = 0.01
LOOKS_WHEN_GONE = 3
KILL_SECONDS = 5.0
REMOVE_SECONDS = 10.0
PR_SET_CHILD_SUBREAPER = 36


class Guardian:
    """One guardian process, as its starter sees it; a context manager.

    `remove` on its own guards folders, which need not exist yet: a folder can be
    guarded before it is made. `stop_signal` is "INT", "TERM" or "CONT", which lets
    the command end by itself; `grace` seconds later SIGKILL follows.
    """

    def __init__(self, *, stop_signal: str = "TERM", grace: float = 10.0) -> None:
        self._stop_signal = stop_signal
        self._grace = grace
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.stop()

    def start(
        self,
        command: Sequence[str | os.PathLike[str]] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        log: IO[bytes] | int | None = None,
        remove: Sequence[str | os.PathLike[str]] = (),
        user: int | None = None,
        outlived_by: "Guardian | None" = None,
    ) -> Self:
        """Start the guardian, and `command` under it.

        `log` takes the output of both (default: the starter's own output). `user`
        runs the command with that number as user and group and with no other
        groups, which takes root. `outlived_by` is a guardian that begins its work
        only when this one has ended: a folder goes after the server in it.
        """
        if self._process is not None:
            raise RuntimeError("This guardian was started before.")
        held = () if outlived_by is None else (outlived_by.fileno(),)
        self._process = subprocess.Popen(
            [
                *self._program(remove, user),
                *(os.fspath(word) for word in command or ()),
            ],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=None if log is None else subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            pass_fds=held,
            start_new_session=True,
        )
        _started.add(self)
        return self

    def fileno(self) -> int:
        """Give the write end of the pipe; the guardian lives as long as it."""
        return self._pipe().fileno()

    def poll(self) -> int | None:
        """Give the exit code (128 + n for a signal n), or None while it runs."""
        return None if self._process is None else self._process.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the command's end; give its code or raise TimeoutExpired."""
        if self._process is None:
            raise RuntimeError("This guardian was not started.")
        code = self._process.wait(timeout)
        self._pipe().close()
        return code

    def stop(self) -> int | None:
        """Stop the command, remove the folders; give the exit code.

        Returns when all is done. Guardians that this one outlives go first.
        """
        if self._process is None:
            return None
        self._pipe().close()
        return self.wait(self._grace + KILL_SECONDS + REMOVE_SECONDS)

    def forget(self) -> None:
        """Let go of the guardian without stopping it, in a forked child."""
        if self._process is not None:
            self._pipe().close()
            self._process.returncode = 0
            self._process = None

    def _pipe(self) -> IO[bytes]:
        if self._process is None or self._process.stdin is None:
            raise RuntimeError("This guardian was not started.")
        return self._process.stdin

    def _program(
        self, remove: Sequence[str | os.PathLike[str]], user: int | None
    ) -> list[str]:
        words = [sys.executable, "-I", "-S", __file__]
        words += ["--stop-signal", self._stop_signal, "--grace", str(self._grace)]
        for folder in remove:
            words += ["--remove", os.fspath(Path(folder).absolute())]
        if user is not None:
            words += ["--user", str(user)]
        return [*words, "--"]


_started: "weakref.WeakSet[Guardian]" = weakref.WeakSet()


def _forget_all() -> None:
    for guardian in _started:
        guardian.forget()


# A child that was forked but never executed anything keeps every descriptor: it
# would hold the pipe open after the death of the starter.
os.register_at_fork(after_in_child=_forget_all)


class _Ward:
    """The command that the guardian looks after, with its process group."""

    def __init__(self, command: Sequence[str], user: int | None, signals: int) -> None:
        self._signals = signals
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            process_group=0,
        )
        self._code: int | None = None

    def reap(self) -> int | None:
        """Collect every child that ended; give the command's exit code."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._process.pid:
                    code = os.waitstatus_to_exitcode(ended[1])
                    self._process.returncode = code
                    self._code = SIGNALLED - code if code < 0 else code
        return self._code

    def stop(self, stop_signal: signal.Signals, grace: float) -> None:
        """Stop the group: a signal, time to react, then SIGKILL."""
        for number, seconds in ((stop_signal, grace), (signal.SIGKILL, KILL_SECONDS)):
            if not self._send(number):
                return
            # A stopped (SIGSTOP) member would never see the signal.
            self._send(signal.SIGCONT)
            deadline = time.monotonic() + seconds
            while self._send(0) and time.monotonic() < deadline:
                _next_signals(self._signals)

    def _send(self, number: int) -> bool:
        self.reap()
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return False
        return True


def main() -> int:
    """Guard until the starter is gone, SIGTERM comes or the command ends."""
    options = _options()
    signals = _signals()
    _adopt_orphans()
    code = 0
    try:
        if options.command:
            ward = _Ward(options.command, options.user, signals)
            _wait(signals, ward)
            ward.stop(signal.Signals[f"SIG{options.stop_signal}"], options.grace)
            code = ward.reap() or 0
        else:
            _wait(signals, None)
    except OSError as error:
        sys.stderr.write(f"guardian: {error}\n")
        code = NOT_FOUND
    finally:
        _remove(options.remove)
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Stop a command with its starter.")
    parser.add_argument("--remove", metavar="FOLDER", action="append", default=[])
    parser.add_argument("--stop-signal", choices=STOP_SIGNALS, default="TERM")
    parser.add_argument("--grace", type=float, default=10.0, metavar="SECONDS")
    parser.add_argument("--user", type=int, metavar="UID")
    parser.add_argument("command", nargs="*", metavar="COMMAND")
    return parser.parse_args()


def _signals() -> int:
    """Give a descriptor that each signal of interest writes its number to.

    The handlers do nothing; the command would inherit SIG_IGN.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    return read_end


def _adopt_orphans() -> None:
    """Become the parent of grandchildren that lose theirs, to reap them (Linux).

    In a container nobody else might, and a group of zombies never looks empty.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _wait(signals: int, ward: _Ward | None) -> None:
    poll = select.poll()
    stdin = sys.stdin.fileno()
    poll.register(stdin, select.POLLIN)
    poll.register(signals, select.POLLIN)
    while ward is None or ward.reap() is None:
        ready = {descriptor for descriptor, _event in poll.poll()}
        if stdin in ready and not os.read(stdin, 4096):
            return
        if signals in ready and signal.SIGTERM in os.read(signals, 4096):
            return


def _next_signals(signals: int) -> bytes:
    """Give the numbers that came, waiting a little: not every end is our child's."""
    ready, _, _ = select.select([signals], [], [], LOOK_SECONDS)
    return os.read(signals, 4096) if ready else b""


def _remove(folders: Sequence[str]) -> None:
    """Remove the folders until they are gone and stay gone.

    A process that is on its way out may still write into them.
    """
    deadline = time.monotonic() + REMOVE_SECONDS
    looks = 0
    while folders and looks < LOOKS_WHEN_GONE and time.monotonic() < deadline:
        looks = looks + 1 if not any(map(os.path.lexists, folders)) else 0
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                Path(folder).unlink()
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
