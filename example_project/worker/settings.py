"""Settings of the worker: a client of the API, with no data of its own.

| variable | meaning |
|---|---|
| `LEDGER_URL` | where the API is, such as `https://ledger.example.com` |
| `OIDC_ISSUER` | the provider that knows the worker |
| `WORKER_CLIENT_ID`, `WORKER_CLIENT_SECRET` | how the worker says there who it is |
| `REDIS_URL`, `SECRET_KEY` | to share one token between workers; alone when unset |
| `INSECURE_HTTP` | a provider and an API on this machine without TLS |
"""

import os
from typing import Any

from django.utils.crypto import get_random_string

from ledger.environment import caches, flag

INSTALLED_APPS = ["worker"]
DATABASES: dict[str, dict[str, str]] = {}
CACHES = caches()
# Tokens in the shared cache are encrypted with it: workers need the same one.
SECRET_KEY = os.environ.get("SECRET_KEY") or get_random_string(50)
USE_TZ = True

LEDGER_URL = os.environ.get("LEDGER_URL", "")
#: What the worker cannot begin without.
MISSING = [
    name
    for name in (
        *("LEDGER_URL", "OIDC_ISSUER"),
        *("WORKER_CLIENT_ID", "WORKER_CLIENT_SECRET"),
    )
    if not os.environ.get(name)
]

DRF_APIKIT: dict[str, Any] = {"CLIENTS": {"CREDENTIALS": {}}}
if not MISSING:
    DRF_APIKIT["CLIENTS"]["CREDENTIALS"]["ledger"] = {
        "ISSUER": os.environ["OIDC_ISSUER"],
        "CLIENT_ID": os.environ["WORKER_CLIENT_ID"],
        "CLIENT_SECRET": os.environ["WORKER_CLIENT_SECRET"],
        "SCOPES": ["ledger:read", "ledger:write"],
        "INSECURE_LOOPBACK_HTTP": flag("INSECURE_HTTP"),
    }
