"""Processes in tests: those below one, their end, and another user's."""

import os
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

__all__ = [
    "await_command",
    "descendants",
    "frozen",
    "guarded_folders",
    "kill",
    "memory_makers",
    "open_copy",
    "owners",
]

ROOT: Final = Path(__file__).parents[1]
PROC: Final = Path("/proc")
NOBODY: Final = 65534
READABLE: Final = 0o755
SECONDS: Final = 30.0
NOT_COPIED: Final = ("site-packages", "dist-packages", "test", "idlelib", "config-*")


def descendants(pid: int) -> list[int]:
    """Give the processes below one, at any depth."""
    parents = {}
    for path in PROC.glob("[0-9]*"):
        # The name before it may hold spaces and brackets.
        rest = _read(int(path.name), "stat").rpartition(")")[2].split()
        if rest:
            parents[int(path.name)] = int(rest[1])
    found: list[int] = []
    generation = [pid]
    while generation:
        generation = [child for child in parents if parents[child] in generation]
        found += generation
    return found


def _command_line(pid: int) -> list[str]:
    """Give the words of its command; none when it has ended."""
    return _read(pid, "cmdline").split("\0")


def await_command(pid: int, word: str) -> None:
    """Return when a process below one runs a command with that word."""
    deadline = time.monotonic() + SECONDS
    while not any(word in _command_line(below) for below in descendants(pid)):
        assert time.monotonic() < deadline


def owners(pids: list[int]) -> set[int]:
    """Give the users of the processes that are no guardians."""
    found = set()
    for pid in pids:
        words, status = _command_line(pid), _read(pid, "status")
        # What has ended, and waits to be collected, has no words.
        guardian = any(word.endswith("guardian.py") for word in words)
        if any(words) and status and not guardian:
            found.add(int(status.partition("\nUid:")[2].split()[0]))
    return found


def guarded_folders(pids: list[int]) -> set[Path]:
    """The folders that the guardians among the processes will remove."""
    return {
        Path(folder)
        for pid in pids
        for option, folder in pairwise(_command_line(pid))
        if option == "--remove"
    }


def frozen(process: subprocess.Popen[str]) -> list[int]:
    """Suspend it, so that nothing new begins; give the processes below it."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    return descendants(process.pid)


def memory_makers() -> set[int]:
    """Give the makers of the System V shared memory that exists now."""
    lines = (PROC / "sysvipc" / "shm").read_text().splitlines()[1:]
    return {int(line.split()[4]) for line in lines}


def kill(process: subprocess.Popen[str], below: list[int]) -> None:
    """Kill -9 it, and wait until all that was below it has ended."""
    with ExitStack() as descriptors:
        ends = []
        for pid in below:
            with suppress(ProcessLookupError):
                ends.append(os.pidfd_open(pid))
                descriptors.callback(os.close, ends[-1])
        process.kill()
        for end in ends:
            ended = select.poll()
            ended.register(end, select.POLLIN)
            assert ended.poll(SECONDS * 1000)


def open_copy(
    folder: Path, packages: Sequence[Path], sources: Sequence[Path]
) -> dict[str, Any]:
    """Copy this Python, packages and files of ours to where all users can read.

    Root's own are often closed to others. Gives the interpreter as "python", and
    what subprocess.Popen needs to run it there as a normal user.
    """
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    libraries = folder / sys.platlibdir
    _copy(Path(sys.executable).resolve(), folder / "bin" / name)
    _copy(Path(sysconfig.get_path("stdlib")), libraries / name)
    shared = Path(*map(str, sysconfig.get_config_vars("LIBDIR", "INSTSONAME")))
    if shared.suffix != ".a" and shared.is_file():
        _copy(shared, libraries / shared.name)
    for package in packages:
        _copy(package, folder / "site" / package.name)
    for source in sources:
        _copy(source, folder / "checkout" / source.relative_to(ROOT))
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(READABLE)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder / "site"),
        "LD_LIBRARY_PATH": str(libraries),
    }
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    python = str(folder / "bin" / name)
    return {"python": python, "cwd": folder / "checkout", "env": environment, **who}


def _read(pid: int, name: str) -> str:
    try:
        return (PROC / str(pid) / name).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        ignore = shutil.ignore_patterns(*NOT_COPIED)
        shutil.copytree(source, target, ignore=ignore, copy_function=_link)
    else:
        _link(source, target)


def _link(source: str | Path, target: str | Path) -> None:
    """Spare the copy where all may read the original."""
    try:
        if not Path(source).stat().st_mode & 0o004:
            raise PermissionError(source)
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
        Path(target).chmod(READABLE)
