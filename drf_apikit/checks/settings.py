"""Checks of the setting `DRF_APIKIT` itself."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core import checks

from drf_apikit.conf import Fault, apikit_settings, load
from drf_apikit.jose.signing import load_signing_key

__all__ = ["check_settings"]

#: The app of first-party tokens.
_TOKENS: Final = "drf_apikit.tokens"
_IDS: Final[Mapping[str, str]] = {
    "unknown": "drf_apikit.E001",
    "value": "drf_apikit.E002",
    "missing": "drf_apikit.E003",
}


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Report unknown keys, bad values and missing mandatory ones.

    `E001` unknown key, `E002` bad value, `E003` missing, `E004` a dotted path that
    cannot be imported, or called as it is, `E005` a cache alias that is not in
    `CACHES`, `E021` a private key that is none, `E041` an app that is missing.
    """
    faults = apikit_settings.faults()
    if faults:
        return [_error(fault) for fault in faults]
    return [*_paths(), *_transport(), *_caches(), *_private_keys(), *_app()]


def _error(fault: Fault) -> checks.Error:
    return checks.Error(fault.message, hint=fault.hint, id=_IDS[fault.code])


def _paths() -> list[checks.CheckMessage]:
    named = {
        "DRF_APIKIT['IDEMPOTENCY']['TENANT']": apikit_settings.idempotency.tenant,
        "DRF_APIKIT['AUTHENTICATION']['PRINCIPAL_RESOLVER']": (
            apikit_settings.authentication.principal_resolver
        ),
        "DRF_APIKIT['AUTHENTICATION']['TRANSPORT']": (
            apikit_settings.authentication.transport
        ),
        "DRF_APIKIT['METRICS']['COUNTER']": apikit_settings.metrics.counter,
        "DRF_APIKIT['TOKENS']['CLAIMS']": apikit_settings.tokens.claims,
    } | {
        f"DRF_APIKIT['AUTHENTICATION']['ISSUERS'][{name!r}]['KEY_SOURCE']": (
            issuer.key_source
        )
        for name, issuer in apikit_settings.authentication.issuers.items()
    }
    return [
        checks.Error(
            f"{setting} names {path!r}, which cannot be imported.",
            hint="Name a function by its module and name.",
            id="drf_apikit.E004",
        )
        for setting, path in named.items()
        if path is not None and not _loads(path)
    ]


def _transport() -> Iterator[checks.CheckMessage]:
    """See that a transport can be called as it is."""
    path = apikit_settings.authentication.transport
    if not _loads(path):
        return
    kept: dict[str, Any] = {"headers": {}, "body": None, "timeout": 1.0, "max_size": 1}
    try:
        inspect.signature(load(path)).bind("GET", "url", **kept, proxies=None)
    except (TypeError, ValueError) as error:
        yield checks.Error(
            f"DRF_APIKIT['AUTHENTICATION']['TRANSPORT'] names {path!r}, which cannot be"
            f" called: {error}.",
            hint="Take (method, url, *, headers, body, timeout, max_size, proxies).",
            id="drf_apikit.E004",
        )


def _loads(path: str) -> bool:
    try:
        return callable(load(path))
    except (ImportError, RuntimeError):
        # It is RuntimeError for a model whose app is not installed.
        return False


def _caches() -> list[checks.CheckMessage]:
    named = {
        "DRF_APIKIT['AUTHENTICATION']['CACHE']": apikit_settings.authentication.cache,
        "DRF_APIKIT['IDEMPOTENCY']['CACHE']": apikit_settings.idempotency.cache,
        "DRF_APIKIT['CLIENTS']['CACHE']": apikit_settings.clients.cache,
    }
    return [
        checks.Error(
            f"{setting} is {alias!r}, which is no cache.",
            hint=f"Name one of {', '.join(sorted(settings.CACHES))}.",
            id="drf_apikit.E005",
        )
        for setting, alias in named.items()
        if alias is not None and alias not in settings.CACHES
    ]


def _app() -> Iterator[checks.CheckMessage]:
    """See that what `TOKENS` is for is installed."""
    issuer = apikit_settings.tokens.issuer
    if issuer is not None and not apps.is_installed(_TOKENS):
        yield checks.Error(
            f"DRF_APIKIT['TOKENS']['ISSUER'] is {issuer!r}, and INSTALLED_APPS lacks"
            f" {_TOKENS!r}: no tokens are given out.",
            hint=f"Add {_TOKENS!r} to INSTALLED_APPS, and run migrate; or leave the"
            " section out.",
            id="drf_apikit.E041",
        )


def _private_keys() -> Iterator[checks.CheckMessage]:
    clients = apikit_settings.clients.credentials
    named = {"DRF_APIKIT['LOGIN']": apikit_settings.login} | {
        f"DRF_APIKIT['CLIENTS']['CREDENTIALS'][{name!r}]": entry
        for name, entry in clients.items()
    }
    for setting, entry in named.items():
        if entry.private_key is None:
            continue
        try:
            load_signing_key(entry.private_key, entry.private_key_id)
        except ValueError as error:
            yield checks.Error(
                f"{setting}['PRIVATE_KEY'] cannot be used: {error}.",
                hint="Give an RSA key of 2048 bits or more, an EC or an Ed25519 key,"
                " without a password.",
                id="drf_apikit.E021",
            )
