"""The authorization endpoint: who is it, and may the client have this."""

# The toolkit ships no types, so its classes are `Any` to a type checker.
# mypy: disallow-subclassing-any=False

from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from oauth2_provider.exceptions import OAuthToolkitError
from oauth2_provider.models import get_application_model
from oauth2_provider.views import AuthorizationView as ToolkitAuthorizationView
from oauthlib.openid.connect.core.exceptions import ConsentRequired

from identity import environment
from identity.validators import SESSION_USER, signed_in_within
from identity.views.base import Page, error_page

__all__ = ["AuthorizationView"]


class AuthorizationView(Page, ToolkitAuthorizationView):
    """The toolkit's view, with `prompt=none`, `prompt=consent` and RFC 9207."""

    template_name = "identity/consent.html"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Note what the validator needs: the user, and whether to ask again."""
        super().setup(request, *args, **kwargs)
        request.META[SESSION_USER] = request.user
        self.prompt = set(request.GET.get("prompt", "").split())
        parameters: Any = request.GET.copy()
        parameters["approval_prompt"] = "force" if "consent" in self.prompt else "auto"
        request.GET = parameters

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Ask for the password again when the last time was too long ago."""
        max_age = request.GET.get("max_age", "")
        if not signed_in_within(request.user, max_age) and "none" not in self.prompt:
            parameters: Any = request.GET.copy()
            del parameters["max_age"]
            parameters["prompt"] = " ".join(sorted(self.prompt | {"login"}))
            return redirect(f"{request.path}?{parameters.urlencode()}")
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    def form_valid(self, form: Any) -> HttpResponse:
        """Go on with the form, unless somebody changed its client."""
        client_id = form.cleaned_data["client_id"]
        if not get_application_model().objects.filter(client_id=client_id).exists():
            return self.refuse("The client is unknown.")
        response: HttpResponse = super().form_valid(form)
        return response

    def form_invalid(self, form: Any) -> HttpResponse:
        """Refuse a form with missing fields: people cannot leave them empty."""
        return self.refuse(f"Missing or bad: {', '.join(form.errors)}.")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add where the person is sent afterwards."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["destination"] = urlsplit(context.get("redirect_uri") or "").netloc
        return context

    def render_to_response(self, context: Any, **kwargs: Any) -> HttpResponse:
        """Show the consent page or an error; `prompt=none` shows nothing."""
        if error := context.get("error"):
            return error_page(
                self.request, kwargs["status"], error.description, error=error.error
            )
        if "none" in self.prompt:
            error = ConsentRequired(state=context["state"])
            refusal = OAuthToolkitError(error, redirect_uri=context["redirect_uri"])
            redirect: HttpResponse = self.error_response(
                refusal, context["application"]
            )
            return redirect
        page: HttpResponse = super().render_to_response(context, **kwargs)
        return page

    def error_response(self, error: Any, application: Any, **kwargs: Any) -> Any:
        """Send the error to the client, or show it when oauthlib forgot to whom."""
        cause = error.oauthlib_error
        if not cause.redirect_uri:
            return error_page(
                self.request, cause.status_code, cause.description, error=cause.error
            )
        return super().error_response(error, application, **kwargs)

    def redirect(self, redirect_to: str, application: Any) -> HttpResponse:
        """Name the issuer in every answer, errors too (RFC 9207 section 2)."""
        if "iss" not in parse_qs(urlsplit(redirect_to).query):
            separator = "&" if urlsplit(redirect_to).query else "?"
            issuer = quote(environment.current().issuer, safe="")
            redirect_to = f"{redirect_to}{separator}iss={issuer}"
        response: HttpResponse = super().redirect(redirect_to, application)
        return response
