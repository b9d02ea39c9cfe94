"""The endpoints that programs use: tokens, introspection, discovery, user info."""

# The toolkit ships no types, so its classes are `Any` to a type checker.
# mypy: disallow-subclassing-any=False

import hashlib
import json
from typing import Any, Final

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from oauth2_provider import views as toolkit
from oauth2_provider.models import get_access_token_model
from oauth2_provider.views.mixins import OAuthLibMixin
from oauthlib.common import Request

from identity import environment
from identity.client_keys import ALGORITHMS
from identity.tokens import subject_for
from identity.views.base import Endpoint, error_document
from identity.views.cross_origin import CrossOriginEndpoint

__all__ = [
    "DiscoveryView",
    "IntrospectionView",
    "JwksView",
    "MetadataView",
    "RevocationView",
    "TokenView",
    "UserInfoView",
]

GRANT_TYPES: Final = ("authorization_code", "client_credentials", "refresh_token")
TOKEN_PARAMETERS: Final = (
    "grant_type",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_verifier",
    "redirect_uri",
    "refresh_token",
    "resource",
    "scope",
)
#: With which clients may sign their assertions, wherever they authenticate.
ASSERTION_ALGORITHMS: Final = {
    f"{endpoint}_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS)
    for endpoint in ("token", "introspection", "revocation")
}


class TokenView(CrossOriginEndpoint, toolkit.TokenView):
    """Issue tokens for three grants (RFC 6749 section 3.2)."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Issue tokens; of concurrent uses of a code or refresh token, one wins."""
        grant_type = request.POST.get("grant_type")
        if not grant_type:
            return self.refuse("Missing grant_type parameter.")
        if grant_type not in GRANT_TYPES:
            return error_document(
                400,
                "unsupported_grant_type",
                f"This provider knows {', '.join(GRANT_TYPES)}.",
            )
        # oauthlib keeps parameters and its own attributes in one place: unknown
        # ones must not get there (section 3.2: they are ignored).
        request.POST = _only(TOKEN_PARAMETERS, request.POST)
        with transaction.atomic():
            response: HttpResponse = super().post(request, *args, **kwargs)
        # Errors that come up late lack the headers that oauthlib gives the others.
        response.headers["Content-Type"] = "application/json"
        response.headers["Cache-Control"] = "no-store"
        return response


class RevocationView(Endpoint, toolkit.RevokeTokenView):
    """Revoke a token (RFC 7009)."""

    http_method_names = ["post", "options"]


class UserInfoView(CrossOriginEndpoint, toolkit.UserInfoView):
    """Say who the token's user is (OpenID Connect Core section 5.3)."""


class IntrospectionView(Endpoint, OAuthLibMixin):
    """Say what a token means (RFC 7662), to confidential clients.

    Unlike the toolkit's view it answers 401 to strangers and names `sub`, `iss`,
    `iat` and `token_type`: an API cannot find its user without them.
    """

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        """Describe the token, or say that it is not active, and not why."""
        if not self._is_confidential_client(request):
            response = error_document(401, "invalid_client", "Authenticate yourself.")
            response["WWW-Authenticate"] = 'Basic realm="identity"'
            return response
        value = request.POST.get("token")
        if not value:
            return self.refuse("Missing token parameter.")
        return JsonResponse(_describe(value), headers={"Cache-Control": "no-store"})

    def _is_confidential_client(self, request: HttpRequest) -> bool:
        core = self.get_oauthlib_core()
        body, headers = request.POST.urlencode(), core.extract_headers(request)
        asker = Request(request.path, "POST", body, headers)
        if not core.server.request_validator.authenticate_client(asker):
            return False
        client = asker.client
        return bool(client.client_type == client.CLIENT_CONFIDENTIAL)


class DiscoveryView(CrossOriginEndpoint, toolkit.ConnectDiscoveryInfoView):
    """Say where everything is (OpenID Connect Discovery section 4)."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add what the toolkit leaves out, and leave out what it cannot do here."""
        response: HttpResponse = super().get(request, *args, **kwargs)
        document = json.loads(response.content)
        methods = document["token_endpoint_auth_methods_supported"]
        document |= {
            "id_token_signing_alg_values_supported": ["RS256"],
            "grant_types_supported": list(GRANT_TYPES),
            "response_modes_supported": ["query"],
            "prompt_values_supported": ["none", "login", "consent"],
            "introspection_endpoint": self._get_endpoint_url(request, "introspect"),
            "introspection_endpoint_auth_methods_supported": methods,
            "revocation_endpoint": self._get_endpoint_url(request, "revoke-token"),
            "revocation_endpoint_auth_methods_supported": methods,
        }
        response.content = json.dumps(document | ASSERTION_ALGORITHMS)
        return response


class MetadataView(CrossOriginEndpoint, toolkit.OAuthServerMetadataView):
    """Say where everything is (RFC 8414)."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add what clients that sign have to know (section 2)."""
        response: HttpResponse = super().get(request, *args, **kwargs)
        document = json.loads(response.content) | ASSERTION_ALGORITHMS
        response.content = json.dumps(document)
        return response


class JwksView(CrossOriginEndpoint, toolkit.JwksInfoView):
    """Give the public keys (RFC 7517)."""


def _only(names: tuple[str, ...], parameters: QueryDict) -> Any:
    known = QueryDict(mutable=True)
    for name in names:
        if name in parameters:
            known.setlist(name, parameters.getlist(name))
    return known


def _describe(value: str) -> dict[str, Any]:
    checksum = hashlib.sha256(value.encode()).hexdigest()
    tokens = get_access_token_model().objects.select_related("user", "application")
    token = tokens.filter(token_checksum=checksum).first()
    if token is None or not token.is_valid() or token.application is None:
        return {"active": False}
    client_id = token.application.client_id
    document = {
        "active": True,
        "iss": environment.current().issuer,
        "sub": subject_for(token.user, client_id),
        "aud": token.resource,
        "client_id": client_id,
        "scope": token.scope,
        "token_type": "Bearer",
        "iat": int(token.created.timestamp()),
        "exp": int(token.expires.timestamp()),
    }
    return document | ({"username": token.user.username} if token.user else {})
