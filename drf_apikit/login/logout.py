"""Logging out: here always, and at the provider as well where it can be asked.

RP-Initiated Logout 1.0 section 2; the refresh token is revoked (RFC 7009). Nothing that
goes wrong at the provider keeps a person logged in here.
"""

import logging
import secrets
from typing import Final
from urllib.parse import quote, urlencode

from django.contrib import auth
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables
from mozilla_django_oidc import views as mozilla

from drf_apikit.conf import apikit_settings
from drf_apikit.login.authorization import provider_metadata
from drf_apikit.login.client import revoke_token
from drf_apikit.login.destinations import setting_url, wanted_url
from drf_apikit.login.entrance import Entrance
from drf_apikit.login.errors import LoginError
from drf_apikit.login.failures import keep_private
from drf_apikit.login.registration import registration
from drf_apikit.login.sessions import ticket_of, tokens_of

__all__ = ["OIDCLogoutView"]

logger = logging.getLogger("drf_apikit.login")

#: Characters of a hint; with more of them, URLs get too long for servers on the way.
_LONGEST_HINT: Final = 4096


class OIDCLogoutView(Entrance, mozilla.OIDCLogoutView):
    """Logs out by POST; by GET as well where `ALLOW_LOGOUT_GET_METHOD` says so.

    `OIDC_OP_LOGOUT_URL_METHOD` says where to go, as with mozilla-django-oidc; without
    it the provider's own metadata does.
    """

    #: The name of the parameter that says where to go afterwards, where it is not as
    #: `OIDC_REDIRECT_FIELD_NAME` says.
    redirect_field_name: str | None = None

    @property
    def redirect_url(self) -> str:
        """Where to go: as the request wants, else as LOGOUT_REDIRECT_URL says."""
        wanted = wanted_url(self.request, self.redirect_field_name)
        return wanted or setting_url("LOGOUT_REDIRECT_URL")

    @sensitive_variables("stored", "hint")
    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Log out."""
        url = self.redirect_url
        if request.user.is_authenticated:
            is_ours = _is_of_our_provider(request)
            tokens, stored = tokens_of(request.session), _stored_id_token(request)
            chosen = self._chosen_url(request)
            auth.logout(request)
            if chosen is not None:
                url = chosen
            elif is_ours:
                hint = (tokens and tokens.id_token) or stored
                url = _end_session_url(request, hint) or url
            if is_ours and tokens is not None and tokens.refresh_token is not None:
                revoke_token(tokens.refresh_token)
        return keep_private(HttpResponseRedirect(url))

    def _chosen_url(self, request: HttpRequest) -> str | None:
        """Ask the project where its provider logs out; it may want the session."""
        method = self.get_settings("OIDC_OP_LOGOUT_URL_METHOD", "")
        if not method:
            return None
        try:
            url: str = import_string(method)(request)
        except Exception:
            logger.exception("Logged out here alone: OIDC_OP_LOGOUT_URL_METHOD")
            return None
        return url


def _is_of_our_provider(request: HttpRequest) -> bool:
    """Tell whose tokens they are: a former provider's are nothing for this one."""
    ticket = ticket_of(request.session)
    return ticket is not None and ticket.issuer == apikit_settings.login.issuer


def _stored_id_token(request: HttpRequest) -> str | None:
    """Give what `OIDC_STORE_ID_TOKEN` has stored."""
    return request.session.get("oidc_id_token")


@sensitive_variables("hint", "parameters")
def _end_session_url(request: HttpRequest, hint: str | None) -> str | None:
    """Write the request of RP-Initiated Logout; None where the provider has none."""
    client = registration()
    if not client.settings.logout_at_provider:
        return None
    try:
        endpoint = provider_metadata(client).end_session_endpoint
    except LoginError as error:
        logger.warning("Logged out here alone: %s", error.detail)
        return None
    if endpoint is None:
        return None
    parameters = {
        "client_id": client.client_id,
        # The provider knows this one; of what else a request wants it knows nothing.
        "post_logout_redirect_uri": request.build_absolute_uri(
            setting_url("LOGOUT_REDIRECT_URL")
        ),
        "state": secrets.token_urlsafe(16),
    }
    if hint and len(hint) <= _LONGEST_HINT:
        parameters["id_token_hint"] = hint
    joint = "&" if "?" in endpoint else "?"
    return f"{endpoint}{joint}{urlencode(parameters, quote_via=quote)}"
