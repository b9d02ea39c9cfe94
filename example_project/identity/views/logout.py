"""RP-initiated logout, with a page that asks first."""

# The toolkit ships no types, so its classes are `Any` to a type checker.
# mypy: disallow-subclassing-any=False

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from oauth2_provider.exceptions import (
    InvalidIDTokenError,
    InvalidOIDCClientError,
    InvalidOIDCRedirectURIError,
    LogoutDenied,
)
from oauth2_provider.models import get_application_model
from oauth2_provider.views import RPInitiatedLogoutView

from identity.tokens import id_token_claims
from identity.views.base import Page, error_page

__all__ = ["LogoutView"]


class LogoutView(Page, RPInitiatedLogoutView):
    """End the session here (OpenID Connect RP-Initiated Logout 1.0)."""

    template_name = "identity/logout.html"

    def validate_logout_request_user(
        self, id_token_hint: str | None, client_id: str | None
    ) -> Any:
        """Let the toolkit parse only hints that this provider has signed."""
        if id_token_hint and id_token_claims(id_token_hint) is None:
            raise InvalidIDTokenError
        return super().validate_logout_request_user(id_token_hint, client_id)

    def get_request_application(self, id_token: Any, client_id: str | None) -> Any:
        """Find the client; an unknown one is refused."""
        if not client_id:
            return super().get_request_application(id_token, client_id)
        client = get_application_model().objects.filter(client_id=client_id).first()
        if client is None:
            raise InvalidOIDCClientError
        return client

    def validate_post_logout_redirect_uri(
        self, application: Any, post_logout_redirect_uri: str | None
    ) -> None:
        """Refuse addresses that are not registered or do not parse."""
        try:
            super().validate_post_logout_redirect_uri(
                application, post_logout_redirect_uri
            )
        except ValueError as error:
            raise InvalidOIDCRedirectURIError from error

    def error_response(self, error: Any) -> HttpResponse:
        """Show the error; somebody who stays signed in made none."""
        if isinstance(error, LogoutDenied):
            return redirect("home")
        return error_page(
            self.request, error.status_code, error.description, error=error.error
        )
