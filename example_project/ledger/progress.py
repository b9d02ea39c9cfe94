"""A progress bar of a few lines, for the one long step of the demo."""

from typing import TextIO

__all__ = ["ProgressBar"]

WIDTH = 30
CLEAR_LINE = "\r\x1b[K"


class ProgressBar:
    """Draws itself on a terminal; a file or pipe gets nothing of it.

    `unit` is what is counted, `last` what is still to do when all is counted.
    """

    def __init__(self, stream: TextIO, total: int, unit: str, last: str) -> None:
        self._stream = stream
        self._total = total
        self._unit = unit
        self._last = last
        self._terminal = stream.isatty()

    def show(self, done: int) -> None:
        """Draw how far it is."""
        if not self._terminal:
            return
        full, empty = _marks(self._stream)
        filled = WIDTH * done // self._total
        bar = full * filled + empty * (WIDTH - filled)
        share = f"{100 * done // self._total:3d} %"
        self._write(f"{CLEAR_LINE}  {bar} {share}  {done:,} of {self._total:,} ")
        self._write(self._unit if done < self._total else self._last)

    def clear(self) -> None:
        """Leave an empty line behind."""
        if self._terminal:
            self._write(CLEAR_LINE)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _marks(stream: TextIO) -> tuple[str, str]:
    marks = "\u2588", "\u2591"
    try:
        "".join(marks).encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return "#", "."
    return marks
