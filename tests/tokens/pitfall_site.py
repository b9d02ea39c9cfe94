"""A project that gives out tokens, and takes them: what the proofs attack."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.contrib.auth.models import User
from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIClient
from rest_framework.views import APIView

from drf_apikit.authentication import JWTBearerAuthentication
from drf_apikit.testing import InMemoryIssuer
from drf_apikit.tokens.views import (
    SessionViewSet,
    TokenBlacklistView,
    TokenObtainPairView,
    TokenRefreshView,
)
from drf_apikit.tokens.wellknown import JWKSView

__all__ = [
    "AUDIENCE",
    "ISSUER",
    "PASSWORD",
    "PROVIDER",
    "SETTINGS",
    "Site",
    "payload_of",
    "urlpatterns",
]

ISSUER: Final = "https://shop.test"
AUDIENCE: Final = "https://shop.test/api"
PASSWORD: Final = "correct horse battery staple"
#: Whom the project trusts beside itself.
PROVIDER: Final = InMemoryIssuer()

SETTINGS: Final[Mapping[str, Any]] = {
    "TOKENS": {
        "ISSUER": ISSUER,
        "AUDIENCE": AUDIENCE,
        "ALGORITHM": "ES256",
        "SCOPES": ["read", "write"],
        "CLIENTS": {"phone": {}, "kiosk": {"SCOPES": ["read"]}},
    },
    "AUTHENTICATION": {
        "ISSUERS": {
            ISSUER: {
                "AUDIENCE": AUDIENCE,
                "USERS": "local",
                "KEY_SOURCE": "drf_apikit.tokens.keyring.local_keys",
            },
            # It names rows of ours, as nobody should let it.
            PROVIDER.issuer: {**PROVIDER.settings, "USERS": "local"},
        }
    },
}


class WhoAmIView(APIView):
    """Tell callers who they are."""

    authentication_classes = [JWTBearerAuthentication]
    permission_classes = [IsAuthenticated]

    def get(self, request: Request) -> Response:
        return Response({"user": str(request.user), "staff": request.user.is_staff})

    post = get


class Site:
    """Asks the project, as an app of its user does."""

    def __init__(self) -> None:
        self.user = User.objects.create_user("ada", "ada@shop.test", PASSWORD)

    def log_in(self, name: str = "ada", password: str = PASSWORD, **more: str) -> Any:
        """Ask for tokens by a password."""
        sent = {"username": name, "password": password, "client_id": "phone", **more}
        return self.ask("post", "/token/", sent)

    def tokens(self, name: str = "ada", **more: str) -> dict[str, Any]:
        """Log in."""
        answer = self.log_in(name, **more)
        assert answer.status_code == 200, answer.content
        given: dict[str, Any] = answer.json()
        return given

    def refresh(self, text: str, **more: str) -> Any:
        """Ask for the successor of a refresh token."""
        return self.ask("post", "/token/refresh/", {"refresh": text, **more})

    def log_out(self, text: str) -> Any:
        """End the session of a refresh token."""
        return self.ask("post", "/token/blacklist/", {"refresh": text})

    def call(self, token: str, url: str = "/me/", method: str = "get") -> Any:
        """Send an access token as RFC 6750 section 2.1 says."""
        return self.ask(method, url, authorization=f"Bearer {token}")

    def ask(
        self,
        method: str,
        url: str,
        sent: Mapping[str, str] | None = None,
        **headers: str,
    ) -> Any:
        """Ask as over a network: an error of the server is an answer."""
        client = APIClient(raise_request_exception=False)
        send: Callable[..., Any] = getattr(client, method)
        if sent is None:
            return send(url, headers=headers)
        # What no encoder of DRF writes, an attacker does.
        body = json.dumps(sent)
        return send(url, body, content_type="application/json", headers=headers)


def payload_of(token: str) -> dict[str, Any]:
    """Read what anybody can read in a token."""
    segment = token.split(".")[1]
    payload: dict[str, Any] = json.loads(base64.urlsafe_b64decode(f"{segment}=="))
    return payload


router = SimpleRouter()
router.register("sessions", SessionViewSet, "session")

urlpatterns = [
    path("me/", WhoAmIView.as_view()),
    path("token/", TokenObtainPairView.as_view()),
    path("token/refresh/", TokenRefreshView.as_view()),
    path("token/blacklist/", TokenBlacklistView.as_view()),
    path("jwks.json", JWKSView.as_view()),
    *router.urls,
]
