"""Settings from the environment: read in a process that has nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from ledger import environment

ROOT = Path(environment.__file__).parents[1]
PRINT = """
import django, json
django.setup()
from django.conf import settings
names = ("DEBUG", "DATABASES", "CACHES", "ALLOWED_HOSTS", "SESSION_COOKIE_SECURE",
         "DRF_APIKIT", "SERVE_STATIC", "SECRET_KEY", "CSRF_TRUSTED_ORIGINS")
print(json.dumps({name: getattr(settings, name) for name in names}))
"""
KEY = {"SECRET_KEY": "s" * 50}


def test_production_is_what_nothing_set_means() -> None:
    settings = _settings(KEY)
    assert settings["DEBUG"] is False
    assert settings["ALLOWED_HOSTS"] == []
    assert settings["SESSION_COOKIE_SECURE"] is True
    assert settings["SERVE_STATIC"] is False
    assert settings["DRF_APIKIT"]["AUTHENTICATION"]["ISSUERS"] == {}
    database = settings["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "WAL" in database["OPTIONS"]["init_command"]
    assert settings["CACHES"]["default"]["BACKEND"].endswith("LocMemCache")


def test_postgresql_redis_and_an_issuer_by_variables() -> None:
    settings = _settings(
        KEY
        | {
            "DATABASE_URL": "postgresql://me:pass@db.internal:5433/ledger?sslmode=require",
            "REDIS_URL": "redis://cache.internal:6379/1",
            "OIDC_ISSUER": "https://id.example",
            "OIDC_AUDIENCE": "https://api.example",
            "ALLOWED_HOSTS": "api.example, api2.example",
            "CSRF_TRUSTED_ORIGINS": "https://api.example",
        }
    )
    database = settings["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["HOST"], database["PORT"]) == ("db.internal", 5433)
    assert database["OPTIONS"] == {"sslmode": "require"}
    assert database["CONN_MAX_AGE"] == 60
    assert database["CONN_HEALTH_CHECKS"] is True
    cache = settings["CACHES"]["default"]
    assert cache["BACKEND"] == "django_redis.cache.RedisCache"
    assert cache["LOCATION"] == "redis://cache.internal:6379/1"
    issuers = settings["DRF_APIKIT"]["AUTHENTICATION"]["ISSUERS"]
    assert issuers == {"https://id.example": {"AUDIENCE": "https://api.example"}}
    assert settings["ALLOWED_HOSTS"] == ["api.example", "api2.example"]
    assert settings["CSRF_TRUSTED_ORIGINS"] == ["https://api.example"]


def test_debug_needs_nothing_and_makes_a_key_of_its_own() -> None:
    first, second = (_settings({"DEBUG": "1"}) for _ in range(2))
    assert first["SECRET_KEY"] != second["SECRET_KEY"]
    assert len(first["SECRET_KEY"]) >= 50
    assert first["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1"]
    assert first["SESSION_COOKIE_SECURE"] is False


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        pytest.param({}, "SECRET_KEY", id="no-secret-key"),
        pytest.param(KEY | {"DEBUG": "maybe"}, "DEBUG must be 1 or 0", id="debug"),
        pytest.param(
            KEY | {"OIDC_ISSUER": "https://id.example"}, "OIDC_AUDIENCE", id="audience"
        ),
        pytest.param(KEY | {"DATABASE_URL": "nonsense"}, "DATABASE_URL", id="url"),
        pytest.param(
            KEY | {"DATABASE_URL": "oracel://x/y"}, "DATABASE_URL", id="scheme"
        ),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(
    variables: dict[str, str], says: str
) -> None:
    done = _run(variables)
    assert done.returncode == 1
    assert says in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", True), ("TRUE", True), ("0", False), ("", False), ("off", False)],
)
def test_flags(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.setenv("A_FLAG", value)
    assert environment.flag("A_FLAG", default=not expected) is expected


def test_flags_are_never_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_FLAG", "2")
    with pytest.raises(ImproperlyConfigured):
        environment.flag("A_FLAG")


def _settings(variables: dict[str, str]) -> dict[str, Any]:
    done = _run(variables)
    assert done.returncode == 0, done.stderr
    settings: dict[str, Any] = json.loads(done.stdout)
    return settings


def _run(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRINT],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "ledger.settings",
            **variables,
        },
    )
