"""A Redis of one's own that can die and hang, and for which time stands still."""

import os
import shutil
import signal
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import redis

from tests.sandbox import Sandbox, server_path
from tests.services import UnavailableError

__all__ = ["RedisServer"]

ANSWER_SECONDS: Final = 30.0
# Another program may have taken the port, and say nothing.
START_SECONDS: Final = 2.0
#: How often real time is taken back.
TICK_SECONDS: Final = 0.05
#: Lets all that expires live so many milliseconds longer, or shorter.
SHIFT: Final = """
for _, key in ipairs(redis.call('KEYS', '*')) do
    local left = redis.call('PTTL', key)
    if left >= 0 then
        left = left + tonumber(ARGV[1])
        if left > 0 then
            redis.call('PEXPIRE', key, left)
        else
            redis.call('DEL', key)
        end
    end
end
"""


class RedisServer:
    """One server, on the same port each time that it starts, empty.

    What it holds expires by `pass_time` alone: real time is taken back.
    """

    def __init__(self, resources: ExitStack) -> None:
        names = ("redis-server", "valkey-server")
        found = (shutil.which(name, path=server_path()) for name in names)
        if not (program := next(filter(None, found), None)):
            raise UnavailableError("redis-server was not found: install Redis.")
        # A stack of its own: the thread ends before the server does.
        servers = resources.enter_context(ExitStack())
        self._sandbox = Sandbox("redis", servers)
        self._program = program
        self._port = 0
        self._pid = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._answers = False
        #: Seconds that expiry is to be put off for, and until when they were counted.
        self._owed, self._counted = 0.0, 0.0
        self.start()
        thread = threading.Thread(target=self._stand_still)
        thread.start()
        # Last, since the thread would connect anew.
        resources.callback(self._hang_up)
        resources.callback(thread.join)
        resources.callback(self._over.set)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://:{self._sandbox.password}@127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it, and return when it answers; after a death, on the same port."""

        def command(free: int) -> list[str | Path]:
            self._port = self._port or free
            lines = {
                "port": self._port,
                "bind": "127.0.0.1",
                "requirepass": self._sandbox.password,
                "save": '""',
                "daemonize": "no",
            }
            text = "".join(f"{name} {value}\n" for name, value in lines.items())
            return [self._program, self._sandbox.write("redis.conf", text)]

        self._sandbox.serve(command, lambda _free: self._is_there())
        self._client = redis.Redis.from_url(self.url, socket_timeout=ANSWER_SECONDS)
        self._pid = self._client.info("server")["process_id"]
        with self._lock:
            self._owed, self._counted = 0.0, time.monotonic()
            self._answers = True

    def kill(self) -> None:
        """Let it die as by `kill -9`."""
        self._stop_counting()
        self._hang_up()
        os.kill(self._pid, signal.SIGKILL)

    def hang(self) -> None:
        """Let it take connections and say nothing (SIGSTOP)."""
        self._stop_counting()
        os.kill(self._pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on; what was to pass meanwhile has passed."""
        os.kill(self._pid, signal.SIGCONT)
        with self._lock:
            self._answers = True
        self.pass_time(0)

    def empty(self) -> None:
        """Forget everything."""
        self._client.flushall()

    def pass_time(self, seconds: float) -> None:
        """Bring everything so many seconds nearer to its end."""
        with self._lock:
            counted, self._counted = self._counted, time.monotonic()
            self._owed += self._counted - counted - seconds
            shift = round(self._owed * 1000)
            if self._answers and shift:
                self._client.eval(SHIFT, 0, str(shift))
                self._owed -= shift / 1000

    def _hang_up(self) -> None:
        self._client.close()

    def _stop_counting(self) -> None:
        with self._lock:
            self._answers = False

    def _stand_still(self) -> None:
        while not self._over.wait(TICK_SECONDS):
            self.pass_time(0)

    def _is_there(self) -> bool:
        with (
            suppress(redis.RedisError),
            redis.Redis.from_url(self.url, socket_timeout=START_SECONDS) as client,
        ):
            return bool(client.ping())
        return False
