"""A project that gives out tokens, for the tests of what simplejwt's users see."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.urls import include, path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from drf_apikit.authentication import JWTBearerAuthentication

__all__ = [
    "AUDIENCE",
    "HANDLERS",
    "ISSUER",
    "PASSWORD",
    "SETTINGS",
    "Caller",
    "make_user",
    "payload_of",
    "urlpatterns",
]

ISSUER: Final = "https://shop.test"
AUDIENCE: Final = "https://shop.test/api"
PASSWORD: Final = "correct horse battery staple"
HANDLERS: Final[Mapping[str, str]] = {
    "ours": "drf_apikit.problems.exception_handler",
    "DRF's": "rest_framework.views.exception_handler",
}
SETTINGS: Final[Mapping[str, Any]] = {
    "TOKENS": {"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "ALGORITHM": "ES256"},
    "AUTHENTICATION": {
        "ISSUERS": {
            ISSUER: {
                "AUDIENCE": AUDIENCE,
                "USERS": "local",
                "KEY_SOURCE": "drf_apikit.tokens.keyring.local_keys",
            },
        },
    },
}


class MeView(APIView):
    authentication_classes = [JWTBearerAuthentication]
    permission_classes = [IsAuthenticated]

    def get(self, request: Request) -> Response:
        return Response(request.user.get_username())


class Caller:
    """Calls as an app does: an error of the server is an answer."""

    def __init__(self) -> None:
        self.client = APIClient(raise_request_exception=False)

    def obtain(self, **sent: Any) -> Any:
        return self.post("", {"username": "ada", "password": PASSWORD, **sent})

    def tokens(self, **sent: Any) -> dict[str, Any]:
        answer = self.obtain(**sent)
        assert answer.status_code == 200, answer.content
        given: dict[str, Any] = answer.json()
        return given

    def refresh(self, text: Any) -> Any:
        return self.post("refresh/", {"refresh": text})

    def post(self, where: str, sent: Any, **named: Any) -> Any:
        named.setdefault("format", "json")
        return self.client.post(f"/api/token/{where}", sent, **named)

    def raw(self, where: str, body: bytes, content_type: str) -> HttpResponse:
        send: Any = self.client.generic
        answer: HttpResponse = send("POST", f"/api/token/{where}", body, content_type)
        return answer

    def call(self, method: str, where: str, access: str | None) -> Any:
        headers = {} if access is None else {"Authorization": f"Bearer {access}"}
        return self.client.generic(method, where, headers=headers)


def make_user(name: str = "ada", **values: Any) -> User:
    return User.objects.create_user(name, password=PASSWORD, **values)


def payload_of(token: str) -> dict[str, Any]:
    return part_of(token, 1)


def part_of(token: str, number: int) -> dict[str, Any]:
    segment = token.split(".")[number]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(f"{segment}=="))
    return found


urlpatterns = [
    path("api/token/", include("drf_apikit.tokens.urls")),
    path("me/", MeView.as_view()),
]
