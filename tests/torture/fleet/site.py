"""A small API behind bearer tokens: `gunicorn tests.torture.fleet.site`.

| variable | meaning |
|---|---|
| `FLEET_ISSUER` | whose tokens are accepted |
| `FLEET_REDIS` | the URL of the Redis that they share; empty: they share none |
"""

import os
import threading
import time
from pathlib import Path
from typing import Any, Final

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.test import override_settings
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_apikit.authentication import ClientPrincipal
from tests.torture.fleet.processes import NOTES
from tests.torture.fleet.provider import AUDIENCE, SCOPE

__all__ = ["application", "note", "principal", "urlpatterns"]

#: Seconds that Redis has for an answer. Without such a limit nobody but the system
#: would end a wait for a Redis that hangs.
REDIS_SECONDS: Final = 0.5
#: Threads of gunicorn and of Python itself.
USUAL: Final = ("MainThread", "ThreadPoolExecutor-")


class Things(APIView):
    """For machine clients with a token."""

    required_scopes = (SCOPE,)

    def get(self, _request: Request) -> Response:
        """Tell which process answers."""
        return Response({"pid": os.getpid()})


def state(_request: HttpRequest) -> JsonResponse:
    """Tell which process this is, and what it does in the background."""
    names = [thread.name for thread in threading.enumerate()]
    busy = [name for name in names if not name.startswith(USUAL)]
    return JsonResponse({"pid": os.getpid(), "busy": busy})


def note(event: str, _labels: dict[str, str]) -> None:
    """Write down when something was counted."""
    line = f"{time.time()} {os.getpid()} {event}\n"
    with Path(NOTES).open("ab", buffering=0) as file:
        file.write(line.encode())


def principal(token: Any) -> ClientPrincipal:
    """Take every subject for a machine client: no database is asked."""
    return ClientPrincipal(token.issuer, token.client_id)


def cache(url: str) -> dict[str, Any]:
    """Give the cache as a project would configure it."""
    if not url:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    seconds = {
        "SOCKET_CONNECT_TIMEOUT": REDIS_SECONDS,
        "SOCKET_TIMEOUT": REDIS_SECONDS,
    }
    backend = "django_redis.cache.RedisCache"
    return {"BACKEND": backend, "LOCATION": url, "OPTIONS": seconds}


urlpatterns = [path("things", Things.as_view()), path("state", state)]

override_settings(
    ROOT_URLCONF=__name__,
    CACHES={"default": cache(os.environ["FLEET_REDIS"])},
    DRF_APIKIT={
        "AUTHENTICATION": {
            "ISSUERS": {
                os.environ["FLEET_ISSUER"]: {
                    "AUDIENCE": AUDIENCE,
                    "INSECURE_LOOPBACK_HTTP": True,
                }
            },
            "PRINCIPAL_RESOLVER": f"{__name__}.principal",
        },
        "METRICS": {"COUNTER": f"{__name__}.note"},
    },
).enable()
application = get_wsgi_application()
