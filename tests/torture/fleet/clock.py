"""The time of a fleet, which stands still until it is set forward."""

import mmap
import struct
from pathlib import Path
from typing import Final

from tests.torture.fleet.redis_server import RedisServer

__all__ = ["EPOCH", "Clock"]

#: When each run begins.
EPOCH: Final = 1_800_000_000.0


class Clock:
    """A clock in a file that processes share, and in a Redis if there is one."""

    def __init__(self, path: Path, redis: RedisServer | None = None) -> None:
        self.now = EPOCH
        path.write_bytes(struct.pack("d", EPOCH))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), struct.calcsize("d"))
        self._redis = redis

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass for all."""
        if self._redis is not None:
            self._redis.pass_time(seconds)
        self.now += seconds
        struct.pack_into("d", self._memory, 0, self.now)
