"""The example's settings, and what the tests add to them."""

import os
from typing import Any

# Nothing outside of the test run is ever signed with it.
os.environ.setdefault("SECRET_KEY", "a key that only the tests know, long enough")

from ledger import settings as ledger

globals().update(
    {name: getattr(ledger, name) for name in dir(ledger) if name.isupper()}
)

INSTALLED_APPS: list[str] = [*ledger.INSTALLED_APPS, "tests.app"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
ROOT_URLCONF = "tests.urls"
DRF_APIKIT: dict[str, Any] = {}
# Hashing a password as in production is most of the time of a small test.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
