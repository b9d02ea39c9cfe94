"""Answers that scripts of other origins may read: those of public clients.

A page that signs people in by itself (authorization code with PKCE) asks for
discovery, tokens and user info from its own origin. Which origins have such pages
is known: that of each redirect URI of a public client.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider.models import get_application_model

from identity.views.base import Endpoint

__all__ = ["CrossOriginEndpoint"]

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST",
    # The last one is Swagger UI's.
    "Access-Control-Allow-Headers": "authorization, content-type, x-requested-with",
    "Access-Control-Max-Age": "600",
}
ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"


@method_decorator(csrf_exempt, name="dispatch")
class CrossOriginEndpoint(Endpoint):
    """An endpoint for scripts, too. No answer is ever given for cookies."""

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Answer the request, and say who else may read that."""
        origin = request.headers.get("Origin")
        is_known = origin is not None and origin in _origins()
        if request.method == "OPTIONS":
            preflight = PREFLIGHT if is_known else None
            response: HttpResponseBase = HttpResponse(status=204, headers=preflight)
        else:
            response = super().dispatch(request, *args, **kwargs)
        # The toolkit lets everybody read some of them.
        response.headers.pop(ALLOW_ORIGIN, None)
        if is_known and origin is not None:
            response.headers[ALLOW_ORIGIN] = origin
            response.headers["Access-Control-Expose-Headers"] = "www-authenticate"
        patch_vary_headers(response, ["Origin"])
        return response


def _origins() -> set[str]:
    clients = get_application_model().objects
    public = clients.filter(client_type=clients.model.CLIENT_PUBLIC)
    texts = public.values_list("redirect_uris", flat=True)
    return {origin for text in texts for uri in text.split() if (origin := _of(uri))}


def _of(uri: str) -> str | None:
    """Write the origin of a URI as a browser does (RFC 6454 section 6.2)."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        # Of no host or port that there could be.
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port in {None, DEFAULT_PORTS[parts.scheme]}:
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"
