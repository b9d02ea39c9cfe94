"""Settings from environment variables: the same code on every host."""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "caches",
    "databases",
    "first_party",
    "flag",
    "issuers",
    "login",
    "own_issuer",
    "sign_in",
    "words",
]

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"", "0", "false", "no", "off"})
SQLITE_OPTIONS = {
    # A transaction that reads before it writes would fail with "database is
    # locked" when another one writes in between; so take the lock first.
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    "timeout": 20,
}


def flag(name: str, *, default: bool = False) -> bool:
    """Return a yes-or-no variable; anything unclear is an error, never a guess."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() in TRUE:
        return True
    if value.lower() in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")


def words(name: str, default: str = "") -> list[str]:
    """Return a comma separated variable as a list."""
    return [
        word
        for part in os.environ.get(name, default).split(",")
        if (word := part.strip())
    ]


def databases(base: "Path") -> dict[str, Any]:
    """Return `DATABASES` from `DATABASE_URL`, or a SQLite file below `base`."""
    url = os.environ.get("DATABASE_URL") or f"sqlite:///{base / 'ledger.sqlite3'}"
    try:
        config: dict[str, Any] = dict(
            dj_database_url.parse(url, conn_max_age=60, conn_health_checks=True)
        )
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL: {error}") from error
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = {**SQLITE_OPTIONS, **(config.get("OPTIONS") or {})}
    return {"default": config}


def caches() -> dict[str, Any]:
    """Return `CACHES` from `REDIS_URL`, or memory of the process."""
    url = os.environ.get("REDIS_URL")
    if not url:
        return {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    return {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": url,
            "KEY_PREFIX": "ledger",
        }
    }


def issuers(*, insecure_http: bool) -> dict[str, Any]:
    """Return the trusted issuer: `OIDC_ISSUER` with `OIDC_AUDIENCE`, or none."""
    issuer = os.environ.get("OIDC_ISSUER")
    if not issuer:
        return {}
    audience = os.environ.get("OIDC_AUDIENCE")
    if not audience:
        raise ImproperlyConfigured(
            "OIDC_ISSUER needs OIDC_AUDIENCE: the name of this API in the "
            "tokens that are meant for it."
        )
    config: dict[str, Any] = {"AUDIENCE": audience}
    if insecure_http:
        config["INSECURE_LOOPBACK_HTTP"] = True
    return {issuer: config}


def first_party(scopes: Iterable[str]) -> dict[str, Any]:
    """Return `TOKENS`, which this project gives out itself, or none.

    `TOKENS_ISSUER` is the ledger's own URL, `TOKENS_AUDIENCE` its name in the tokens.
    """
    issuer = os.environ.get("TOKENS_ISSUER")
    if not issuer:
        return {}
    if issuer == os.environ.get("OIDC_ISSUER"):
        raise ImproperlyConfigured(
            "TOKENS_ISSUER is OIDC_ISSUER: who gave out a token must be plain."
        )
    audience = os.environ.get("TOKENS_AUDIENCE")
    if not audience:
        raise ImproperlyConfigured(
            "TOKENS_ISSUER needs TOKENS_AUDIENCE: the name of this API in the tokens."
        )
    return {
        "ISSUER": issuer,
        "AUDIENCE": audience,
        "SCOPES": list(scopes),
        "CLIENTS": {"ledger-mobile": {}},
        # A phone loses answers: it asks again, and gets the same one.
        "REPEAT_SUCCESSOR": True,
    }


def own_issuer(tokens: Mapping[str, Any]) -> dict[str, Any]:
    """Return the issuer that this project is itself: of `TOKENS`, or none."""
    if not tokens:
        return {}
    return {
        tokens["ISSUER"]: {
            "AUDIENCE": tokens["AUDIENCE"],
            "USERS": "local",
            # Out of the database, and not by HTTP to oneself.
            "KEY_SOURCE": "drf_apikit.tokens.keyring.local_keys",
        }
    }


def login(*, insecure_http: bool) -> dict[str, Any]:
    """Return `LOGIN` for people with browsers: of `OIDC_RP_CLIENT_ID`, or none."""
    if not os.environ.get("OIDC_RP_CLIENT_ID"):
        return {}
    issuer = os.environ.get("OIDC_ISSUER")
    if not issuer:
        raise ImproperlyConfigured(
            "OIDC_RP_CLIENT_ID needs OIDC_ISSUER: the provider at which it is a client."
        )
    config: dict[str, Any] = {"ISSUER": issuer}
    if insecure_http:
        config["INSECURE_LOOPBACK_HTTP"] = True
    return config


def sign_in(scopes: dict[str, str]) -> dict[str, Any]:
    """Return what lets Swagger UI sign in: of `SWAGGER_CLIENT_ID`, or nothing."""
    client_id = os.environ.get("SWAGGER_CLIENT_ID")
    if not client_id:
        return {}
    authorize = os.environ.get("SWAGGER_AUTHORIZE_URL")
    token = os.environ.get("SWAGGER_TOKEN_URL")
    if not (authorize and token):
        raise ImproperlyConfigured(
            "SWAGGER_CLIENT_ID needs SWAGGER_AUTHORIZE_URL and SWAGGER_TOKEN_URL: the"
            " provider's endpoints, as its discovery document names them."
        )
    return {
        "OAUTH2_FLOWS": ["authorizationCode"],
        "OAUTH2_AUTHORIZATION_URL": authorize,
        "OAUTH2_TOKEN_URL": token,
        "OAUTH2_SCOPES": scopes,
        "SWAGGER_UI_OAUTH2_CONFIG": {
            "clientId": client_id,
            "scopes": list(scopes),
            "usePkceWithAuthorizationCodeGrant": True,
        },
    }
