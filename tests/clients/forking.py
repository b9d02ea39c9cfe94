"""A process that is forked while a thread of it asks for a token.

    python -m tests.clients.forking URL cold|warm|due

It says "busy" when it has asked, or has a token, and goes on after a line of standard
input. The child then prints the token that it has, and where that one was due the
one that it has when all is settled.
"""

import os
import sys
import threading
import warnings
from typing import Final

from django.conf import settings

from drf_apikit.clients import ClientCredentials, tokens

NAME: Final = "billing"
SECONDS: Final = 30
NOW: Final = 1_800_000_000.0
#: Of the life of 100 seconds.
RENEWED: Final = 80


def main(url: str, kind: str) -> int:
    """Be the parent, and then the child as well."""
    entry = {
        "TOKEN_ENDPOINT": f"{url}/token",
        "CLIENT_ID": "worker",
        "CLIENT_SECRET": "secret",
        "INSECURE_LOOPBACK_HTTP": True,
    }
    section = {"CREDENTIALS": {NAME: entry}, "TIMEOUT": 20}
    # A cache in memory would be forked with the lock of the parent in it.
    dummy = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    settings.configure(DRF_APIKIT={"CLIENTS": section}, CACHES=dummy, SECRET_KEY="x")
    now = [NOW]
    vars(tokens)["_CLIENTS"] = tokens.Clients(lambda: now[0])
    credentials = ClientCredentials(NAME)
    if kind == "cold":
        threading.Thread(target=credentials.access_token, daemon=True).start()
    else:
        credentials.access_token()
    if kind == "due":
        now[0] += RENEWED
        credentials.access_token()
    print("busy", flush=True)
    sys.stdin.readline()
    # That other threads are there is the point.
    warnings.simplefilter("ignore", DeprecationWarning)
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(credentials.access_token(), flush=True)
    assert tokens.find_client(NAME).token.settle(SECONDS)
    if kind == "due":
        print(credentials.access_token(), flush=True)
    return 0


if __name__ == "__main__":
    # Without waiting for what hangs.
    os._exit(main(*sys.argv[1:]))
