"""What outbound tokens should not be deployed with."""

from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.core import checks

from drf_apikit.checks.caches import is_private
from drf_apikit.conf import apikit_settings

__all__ = ["check_deployed_clients"]

_CLIENTS: Final = "DRF_APIKIT['CLIENTS']"


def check_deployed_clients(**_: Any) -> list[checks.CheckMessage]:
    """Look at the clients before a deployment.

    `W025` a cache that processes do not share; `W026` tokens over plain HTTP.
    """
    if apikit_settings.faults() or not apikit_settings.clients.credentials:
        return []
    return [*_cache(), *_plain()]


def _cache() -> Iterator[checks.CheckMessage]:
    alias = apikit_settings.clients.cache
    backend = settings.CACHES.get(alias, {}).get("BACKEND")
    if backend is not None and is_private(backend):
        yield checks.Warning(
            f"{_CLIENTS}['CACHE'] is {alias!r}, which is not shared: each process"
            " fetches a token of its own.",
            hint="Name a cache that all processes share, such as Redis.",
            id="drf_apikit.W025",
        )


def _plain() -> Iterator[checks.CheckMessage]:
    for name, entry in apikit_settings.clients.credentials.items():
        if entry.insecure_loopback_http:
            yield checks.Warning(
                f"{_CLIENTS}['CREDENTIALS'][{name!r}]['INSECURE_LOOPBACK_HTTP'] is"
                " True: any program of this machine that gets hold of the port can"
                " have the secret.",
                hint="Leave it out, and use https.",
                id="drf_apikit.W026",
            )
