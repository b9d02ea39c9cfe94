"""Pages of the provider itself: home, sign-in, errors, and its health."""

import logging
from typing import Any

from django.contrib.auth.views import LoginView as DjangoLoginView
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.generic import TemplateView

from identity import environment
from identity.scopes import ALL_SCOPES
from identity.views.base import Page, error_page

__all__ = [
    "HomeView",
    "LoginView",
    "bad_request",
    "csrf_failure",
    "health",
    "not_found",
    "permission_denied",
    "server_error",
]

logger = logging.getLogger("identity")

ENDPOINTS = {
    "Discovery": "oauth2_provider:oidc-connect-discovery-info",
    "Discovery (RFC 8414)": "oauth2_provider:oauth-server-metadata",
    "Keys": "oauth2_provider:jwks-info",
    "Authorization": "oauth2_provider:authorize",
    "Token": "oauth2_provider:token",
    "User info": "oauth2_provider:user-info",
    "Introspection": "oauth2_provider:introspect",
    "Revocation": "oauth2_provider:revoke-token",
    "Logout": "oauth2_provider:rp-initiated-logout",
}


class HomeView(Page, TemplateView):
    """What this is, who is signed in, and where the endpoints are."""

    template_name = "identity/home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the addresses that a client's configuration needs."""
        issuer = environment.current().issuer
        return super().get_context_data(
            issuer=issuer,
            resource=environment.current().resource,
            endpoints=[
                (name, issuer + reverse(view)) for name, view in ENDPOINTS.items()
            ],
            scopes=ALL_SCOPES,
            user=self.request.user,
            **kwargs,
        )


class LoginView(Page, DjangoLoginView):
    """Ask for name and password."""

    template_name = "identity/login.html"


@require_safe
def health(_request: HttpRequest) -> HttpResponse:
    """Answer 200 when the database does, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        logger.exception("The database does not answer.")
        return JsonResponse({"status": "unavailable"}, status=503)
    return JsonResponse({"status": "ok"})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django itself cannot read."""
    del exception
    return error_page(request, 400, "The request cannot be read.", title="Bad request")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that nobody may make."""
    del exception
    return error_page(request, 403, "You may not do this.", title="Not allowed")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that did not come from a page of ours."""
    logger.warning("CSRF check failed: %s", reason)
    return error_page(
        request,
        403,
        "The form was too old, or not from here.",
        title="Please try again",
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address that nothing has."""
    del exception
    return error_page(
        request, 404, "There is no page at this address.", title="Not found"
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer when this provider has a fault."""
    return error_page(
        request, 500, "Its log says what went wrong.", title="Server error"
    )
