"""A process that is forked while a thread of it is busy with keys.

    python -m tests.oidc.forking ISSUER cold|warm

It says "busy" when it has asked for keys and goes on after a line of standard input.
The child then prints the key ids that it has at once and when all is settled.
"""

import os
import sys
import threading
import warnings

from django.conf import settings

from drf_apikit.conf import apikit_settings
from drf_apikit.oidc.jwks import KeyStore

SECONDS = 30
NOW = 1_800_000_000.0
LIFETIME = 600


def main(issuer: str, kind: str) -> int:
    """Be the parent, and then the child as well."""
    entry = {"AUDIENCE": "x", "INSECURE_LOOPBACK_HTTP": True}
    section = {"ISSUERS": {issuer: entry}, "FETCH_TIMEOUT": 20}
    # A cache in memory would be forked with the lock of the parent in it.
    dummy = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    settings.configure(DRF_APIKIT={"AUTHENTICATION": section}, CACHES=dummy)
    now = [NOW]
    parsed = apikit_settings.authentication.issuers[issuer]
    store = KeyStore(issuer, parsed, lambda: now[0])
    if kind == "warm":
        store.keys()
        assert store.settle(SECONDS)
        now[0] += LIFETIME
        store.keys()
    else:
        threading.Thread(target=store.keys, daemon=True).start()
    print("busy", flush=True)
    sys.stdin.readline()
    # That other threads are there is the point.
    warnings.simplefilter("ignore", DeprecationWarning)
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    show(store)
    assert store.settle(SECONDS)
    show(store)
    return 0


def show(store: KeyStore) -> None:
    """Print the key ids."""
    print(*(key.kid for key in store.keys().keys), flush=True)


if __name__ == "__main__":
    # Without waiting for what hangs.
    os._exit(main(*sys.argv[1:]))
