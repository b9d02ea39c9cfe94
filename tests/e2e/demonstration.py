"""A demo that really runs, in a temporary folder of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

__all__ = ["MANAGE", "Demonstration", "finish", "running"]

MANAGE = Path(__file__).parents[2] / "example_project" / "manage.py"
SECONDS = 120


class Demonstration:
    """`manage.py demo` as a process; `folder` is its TMPDIR.

    All its helpers hold the pipe of its output: the end of the output is the end of
    everything that it started.
    """

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder
        self.text = ""
        self.process = subprocess.Popen(
            _command(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=_environment(folder),
            cwd=folder.parent,
            # A process group of its own, as a shell gives to what it starts.
            process_group=0,
        )

    def read_until(self, words: str) -> Self:
        """Read its output up to the line with these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.text += line
            if words in line:
                return self
        raise AssertionError(f"{words!r} never came:\n{self.text}")

    def finish(self) -> int:
        """Wait until nothing of it runs any more; give the exit code."""
        rest, _ = self.process.communicate(timeout=SECONDS)
        self.text += rest
        return self.process.returncode

    def remains(self) -> list[str]:
        """Name the files and processes that are left."""
        files = [str(path) for path in self.folder.rglob("*")]
        return files + list(_processes_that_name(self.folder))


@contextmanager
def running(folder: Path, *words: str) -> Iterator[Demonstration]:
    """Start a demo and see to its end, whatever the test does."""
    demo = Demonstration(folder, *words)
    try:
        yield demo
    finally:
        demo.process.kill()
        demo.finish()


def finish(folder: Path, *words: str) -> tuple[int, str]:
    """Run a demo to its end; give the exit code and all that it said."""
    with running(folder, *words) as demo:
        return demo.finish(), demo.text


def _command(words: Sequence[str]) -> list[str]:
    return [sys.executable, str(MANAGE), "demo", *words]


def _environment(folder: Path) -> dict[str, str]:
    # Settings of a real installation, which the demo must not touch.
    foreign = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "DJANGO_SETTINGS_MODULE": "no.such.settings",
        "GUNICORN_CMD_ARGS": "--bind 127.0.0.1:1",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
        "OIDC_ISSUER": "https://issuer.invalid",
        "OIDC_RP_CLIENT_ID": "somebody",
        "SWAGGER_CLIENT_ID": "somebody",
        "REDIS_URL": "redis://127.0.0.1:1",
        "TOKENS_ISSUER": "https://issuer.invalid",
    }
    return {**os.environ, **foreign, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}


def _processes_that_name(folder: Path) -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            yield command
