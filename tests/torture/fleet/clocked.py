"""Run a Python module in the time of a file: `clocked.py FILE MODULE [ARGUMENT ...]`.

A program of its own, run by its path: whoever reads the time later reads it here.
The file holds seconds since the epoch as a double.
"""

import mmap
import runpy
import struct
import sys
import time
from pathlib import Path

__all__ = ["set_clock"]


def set_clock(path: str) -> None:
    """Let `time.time` tell what the file says, here and in all forked processes."""
    with Path(path).open("r+b") as file:
        memory = mmap.mmap(file.fileno(), struct.calcsize("d"))

    def now() -> float:
        (seconds,) = struct.unpack_from("d", memory)
        return float(seconds)

    vars(time)["time"] = now


if __name__ == "__main__":
    clock, module = sys.argv[1:3]
    # As `python -m` would have it, rather than where this file is.
    sys.path[0] = ""
    del sys.argv[1:3]
    set_clock(clock)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
