"""Worker processes that call an API: `python -m ... SOCKET COUNT`.

They are forked from one, as those of Celery are. Each connects to the socket, says
which it is, and does what it is told line by line: `call` or `settle`. It ends when
the other side does. The settings come as JSON on standard input.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

import requests
from django.conf import settings
from django.core.cache import DEFAULT_CACHE_ALIAS, caches

from drf_apikit.clients import ClientCredentials, TokenUnavailableError
from drf_apikit.clients.tokens import find_client
from drf_apikit.oidc.transport import Reply, send

__all__ = ["NAME", "PID", "PLACE", "send_with_pid"]

NAME: Final = "api"
#: Tells the token endpoint who asks.
PID: Final = "X-Pid"
#: Of the API, in the settings.
PLACE: Final = "TORTURE_API"
#: Seconds after which a worker gives up.
_SECONDS: Final = 60.0


def send_with_pid(
    method: str, url: str, *, headers: Mapping[str, str], **options: Any
) -> Reply:
    """Be the transport."""
    return send(method, url, headers={**headers, PID: str(os.getpid())}, **options)


class Worker:
    """One worker process."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = ClientCredentials(NAME)

    def do(self, what: str) -> dict[str, Any]:
        """Do what a line says; tell how that went."""
        began = time.monotonic()
        told = self.settle() if what == "settle" else self.call()
        return {**told, "seconds": time.monotonic() - began}

    def call(self) -> dict[str, Any]:
        try:
            answer = self._session.get(getattr(settings, PLACE), timeout=_SECONDS)
        except TokenUnavailableError as error:
            return {"status": 0, "error": error.reason}
        token = str(answer.request.headers["Authorization"])
        return {"status": answer.status_code, "token": token}

    def settle(self) -> dict[str, Any]:
        return {"status": 200 if find_client(NAME).token.settle(_SECONDS) else 0}


def serve(path: str) -> None:
    """Be a worker until the other side ends."""
    worker = Worker()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        with connection.makefile("rw") as file:
            print(os.getpid(), file=file, flush=True)
            for line in file:
                print(json.dumps(worker.do(line.strip())), file=file, flush=True)


def main(path: str, count: int) -> int:
    """Fork the workers, and wait for them."""
    settings.configure(**json.loads(sys.stdin.read()))
    # As in a server that loads a project before it forks. The library of the cache is
    # loaded by each worker all the same, at the same time as by all the others.
    find_client(NAME)
    _ = caches[DEFAULT_CACHE_ALIAS]
    children = []
    for _ in range(count):
        child = os.fork()
        if not child:
            serve(path)
            return 0
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1], int(sys.argv[2]))
    sys.stdout.flush()
    # Without waiting for what hangs.
    os._exit(code)
