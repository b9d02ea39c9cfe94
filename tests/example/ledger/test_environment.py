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
from mobile import CLIENT_ID

ROOT = Path(environment.__file__).parents[1]
PRINT = """
import django, json
django.setup()
from django.conf import settings
names = ("DEBUG", "DATABASES", "CACHES", "ALLOWED_HOSTS", "SESSION_COOKIE_SECURE",
         "DRF_APIKIT", "SERVE_STATIC", "SECRET_KEY", "CSRF_TRUSTED_ORIGINS",
         "MIDDLEWARE", "REST_FRAMEWORK", "SPECTACULAR_SETTINGS", "LOGIN_REDIRECT_URL",
         "SECURE_HSTS_SECONDS")
found = {name: getattr(settings, name) for name in names}
if found["DRF_APIKIT"]["AUTHENTICATION"]["ISSUERS"]:
    from django.urls import get_resolver
    found["paths"] = [str(each.pattern) for each in get_resolver().url_patterns]
print(json.dumps(found))
"""
KEY = {"SECRET_KEY": "s" * 50}


def test_production_is_what_nothing_set_means() -> None:
    settings = _settings(KEY)
    assert settings["DEBUG"] is False
    assert settings["ALLOWED_HOSTS"] == []
    assert settings["SESSION_COOKIE_SECURE"] is True
    assert settings["SERVE_STATIC"] is False
    assert settings["DRF_APIKIT"]["AUTHENTICATION"]["ISSUERS"] == {}
    assert "TOKENS" not in settings["DRF_APIKIT"]
    assert settings["SECURE_HSTS_SECONDS"] > 0
    assert settings["REST_FRAMEWORK"]["NUM_PROXIES"] == 0
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


PROVIDER = {"OIDC_ISSUER": "https://id.example", "OIDC_AUDIENCE": "https://api.example"}
CLIENT = {"OIDC_RP_CLIENT_ID": "ledger-web", "OIDC_RP_CLIENT_SECRET": "secret"}
TOKENS = {
    "TOKENS_ISSUER": "https://ledger.example",
    "TOKENS_AUDIENCE": "https://api.example",
}
SWAGGER = {
    "SWAGGER_CLIENT_ID": "ledger-docs",
    "SWAGGER_AUTHORIZE_URL": "https://id.example/authorize",
    "SWAGGER_TOKEN_URL": "https://id.example/token",
}


def test_people_log_in_where_the_provider_knows_a_client() -> None:
    without, settings = _settings(KEY | PROVIDER), _settings(KEY | PROVIDER | CLIENT)
    assert settings["DRF_APIKIT"]["LOGIN"] == {"ISSUER": "https://id.example"}
    assert "LOGIN" not in without["DRF_APIKIT"]
    new = {"drf_apikit.login.middleware.SessionRefresh"}
    assert set(settings["MIDDLEWARE"]) - set(without["MIDDLEWARE"]) == new
    assert set(settings["paths"]) - set(without["paths"]) == {"oidc/", "api-auth/", ""}
    framework = settings["REST_FRAMEWORK"]
    assert framework["DEFAULT_AUTHENTICATION_CLASSES"] == [
        "drf_apikit.authentication.JWTBearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ]
    assert framework["DEFAULT_RENDERER_CLASSES"][0].endswith("JSONRenderer")
    assert without["REST_FRAMEWORK"]["DEFAULT_PERMISSION_CLASSES"] == [
        "drf_apikit.authentication.HasScopes"
    ]
    insecure = _settings(KEY | PROVIDER | CLIENT | {"INSECURE_HTTP": "1"})
    assert insecure["DRF_APIKIT"]["LOGIN"]["INSECURE_LOOPBACK_HTTP"] is True


def test_the_ledger_is_an_issuer_beside_the_provider_where_it_has_a_url() -> None:
    without, settings = _settings(KEY | PROVIDER), _settings(KEY | PROVIDER | TOKENS)
    apikit = settings["DRF_APIKIT"]
    assert apikit["TOKENS"] == {
        "ISSUER": "https://ledger.example",
        "AUDIENCE": "https://api.example",
        "SCOPES": ["ledger:read", "ledger:write"],
        "CLIENTS": {CLIENT_ID: {}},
        "REPEAT_SUCCESSOR": True,
    }
    issuers = apikit["AUTHENTICATION"]["ISSUERS"]
    assert issuers.keys() == {"https://id.example", "https://ledger.example"}
    assert issuers["https://ledger.example"] == {
        "AUDIENCE": "https://api.example",
        "USERS": "local",
        "KEY_SOURCE": "drf_apikit.tokens.keyring.local_keys",
    }
    assert len(settings["paths"]) == len(without["paths"]) + 1
    alone = _settings(KEY | TOKENS)["DRF_APIKIT"]["AUTHENTICATION"]["ISSUERS"]
    assert alone.keys() == {"https://ledger.example"}


def test_swagger_ui_signs_in_as_a_public_client_with_pkce() -> None:
    settings = _settings(KEY | SWAGGER)["SPECTACULAR_SETTINGS"]
    assert settings["OAUTH2_FLOWS"] == ["authorizationCode"]
    assert settings["OAUTH2_AUTHORIZATION_URL"] == "https://id.example/authorize"
    assert settings["OAUTH2_TOKEN_URL"] == "https://id.example/token"
    assert settings["SWAGGER_UI_OAUTH2_CONFIG"] == {
        "clientId": "ledger-docs",
        "scopes": ["ledger:read", "ledger:write"],
        "usePkceWithAuthorizationCodeGrant": True,
    }
    assert "OAUTH2_FLOWS" not in _settings(KEY)["SPECTACULAR_SETTINGS"]


def test_debug_needs_nothing_and_makes_a_key_of_its_own() -> None:
    first, second = (_settings({"DEBUG": "1"}) for _ in range(2))
    assert first["SECRET_KEY"] != second["SECRET_KEY"]
    assert len(first["SECRET_KEY"]) >= 50
    assert first["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1"]
    assert first["SESSION_COOKIE_SECURE"] is False
    assert first["SECURE_HSTS_SECONDS"] == 0


def test_behind_a_proxy_the_address_is_what_it_says() -> None:
    settings = _settings(KEY | {"BEHIND_PROXY": "1"})
    assert settings["REST_FRAMEWORK"]["NUM_PROXIES"] == 1


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        pytest.param({}, "SECRET_KEY", id="no-secret-key"),
        pytest.param(KEY | {"DEBUG": "maybe"}, "DEBUG must be 1 or 0", id="debug"),
        pytest.param(
            KEY | {"OIDC_ISSUER": "https://id.example"}, "OIDC_AUDIENCE", id="audience"
        ),
        pytest.param(
            KEY | {"TOKENS_ISSUER": "https://ledger.example"},
            "TOKENS_AUDIENCE",
            id="own-audience",
        ),
        pytest.param(
            KEY | PROVIDER | {"TOKENS_ISSUER": PROVIDER["OIDC_ISSUER"]},
            "TOKENS_ISSUER is OIDC_ISSUER",
            id="one-issuer-twice",
        ),
        pytest.param(KEY | CLIENT, "OIDC_RP_CLIENT_ID needs OIDC_ISSUER", id="login"),
        pytest.param(
            KEY | {"SWAGGER_CLIENT_ID": "x"}, "SWAGGER_AUTHORIZE_URL", id="swagger"
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
