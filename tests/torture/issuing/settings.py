"""Its settings; what differs from run to run is in a file of the working directory.

`project.json` has the settings of the database, and those of the section `TOKENS`
that are not here.
"""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

__all__ = ["AUDIENCE", "ISSUER", "PROJECT"]

PROJECT: Final = "project.json"
ISSUER: Final = os.environ.get("ISSUER", "https://issuing.test")
AUDIENCE: Final = os.environ.get("AUDIENCE", "https://issuing.test/api")

_own: dict[str, Any] = json.loads(Path(PROJECT).read_text())

SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "tests.torture.issuing.site"
DATABASES: dict[str, Any] = {"default": _own["database"]}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_apikit",
    "drf_apikit.tokens",
]
USE_TZ = True
# How a password is checked is not what takes time here.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "drf_apikit.authentication.JWTBearerAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "drf_apikit.problems.exception_handler",
}
#: What its documentation calls secure: each refresh token is to work once.
SIMPLE_JWT: dict[str, Any] = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "SIGNING_KEY": SECRET_KEY,
}
DRF_APIKIT: dict[str, Any] = {
    "AUTHENTICATION": {
        "ISSUERS": {
            ISSUER: {
                "AUDIENCE": AUDIENCE,
                "USERS": "local",
                "KEY_SOURCE": "drf_apikit.tokens.keyring.local_keys",
            }
        }
    },
    "TOKENS": {"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, **_own["tokens"]},
}
# Each refusal is a warning, and there are many.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler", "level": "ERROR"}},
    "root": {"handlers": ["stderr"]},
}
