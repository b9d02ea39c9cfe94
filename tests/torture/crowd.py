"""Processes that ask all at the same moment."""

import multiprocessing
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import monotonic
from typing import Any, Final, Self

from demo.guardian import Guardian
from tests.torture.keyed import ENTERED, READY, Database, Order, Told, live

__all__ = ["Crowd"]

SECONDS: Final = 30.0
#: What takes time to load: each process also loads the program that it belongs to.
LOADED: Final = ("tests.torture.", "pytest")


class Crowd:
    """Processes that ask all at once; a context manager."""

    def __init__(self, count: int) -> None:
        self._count = count
        folder = f"drf-apikit-same-key-{secrets.token_hex(8)}"
        self._entries = Path(tempfile.gettempdir()) / folder / "entries"
        self._pipes: list[Connection] = []
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            folder = self._entries.parent
            resources.enter_context(Guardian().start(remove=[folder]))
            folder.mkdir(mode=0o700)
            self._entries.touch()
            self._fork(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._resources.close()

    @contextmanager
    def part(self, count: int) -> Iterator[None]:
        """Ask only so many; in the end they leave the database."""
        self._pipes = self._all[:count]
        try:
            yield
        finally:
            self._tell([Database(None)] * count)

    def __len__(self) -> int:
        return len(self._pipes)

    def use(self, database: dict[str, Any]) -> None:
        """Let them work on that database."""
        self._tell([Database(database)] * len(self._pipes))

    def ask(self, orders: Sequence[Order]) -> tuple[list[Told], int]:
        """Let them ask at once; give the answers, and how many had to wait."""
        pipes = self._pipes[: len(orders)]
        self._tell(orders)
        os.write(self._gate.fileno(), b"x" * len(pipes))
        told: dict[Connection, Told] = {}
        held: set[Connection] = set()
        _listen(pipes, told, held)
        waited = len(pipes) - len(told) - len(held)
        while len(told) < len(pipes):
            for pipe in held:
                pipe.send(None)
            held.clear()
            if not _listen(pipes, told, held):
                raise RuntimeError("There are processes that do not answer.")
        return [told[pipe] for pipe in pipes], waited

    def entered(self, mark: str) -> int:
        """Count how often the view was entered for it."""
        return self._entries.read_text().splitlines().count(mark)

    def _tell(self, orders: Sequence[Database | Order]) -> None:
        pipes = self._pipes[: len(orders)]
        for pipe, order in zip(pipes, orders, strict=True):
            pipe.send(order)
        for pipe in pipes:
            if not pipe.poll(SECONDS) or pipe.recv() != READY:
                raise RuntimeError("There are processes that do not start.")

    def _fork(self, resources: ExitStack) -> None:
        # A process without threads loads what this one has, and is forked.
        context = multiprocessing.get_context("forkserver")
        loaded = [name for name in sys.modules if name.startswith(LOADED)]
        context.set_forkserver_preload(loaded)
        start, self._gate = context.Pipe(duplex=False)
        self._all = []
        for _ in range(self._count):
            own, theirs = context.Pipe()
            arguments = (theirs, start, self._entries)
            process = context.Process(target=live, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self._all.append(own)
            resources.callback(process.join, SECONDS)
        for pipe in (start, self._gate, *self._all):
            resources.callback(pipe.close)


def _listen(
    pipes: Sequence[Connection], told: dict[Connection, Told], held: set[Connection]
) -> bool:
    """Hear all that are not in the view to their end; False: in vain."""
    deadline = monotonic() + SECONDS
    while silent := [p for p in pipes if p not in told and p not in held]:
        ready = wait(silent, deadline - monotonic())
        if not ready:
            return False
        for pipe in silent:
            if pipe in ready and (message := pipe.recv()) == ENTERED:
                held.add(pipe)
            elif pipe in ready:
                told[pipe] = message
    return True
