"""A project that gives out tokens by simplejwt, with nothing wrong."""

from datetime import timedelta
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.views import TokenObtainPairView

from tests.checks.conftest import Route

__all__ = [
    "PRIVATE",
    "PUBLIC",
    "REFRESH",
    "Limit",
    "Obtain",
    "SimplejwtPage",
    "blacklist",
    "ids",
    "pems",
    "safe_simplejwt",
    "simplejwt_project",
    "told",
]

#: Without the admin, which would want tables that this process has not got.
BLACKLIST: Final = "rest_framework_simplejwt.token_blacklist"
REFRESH: Final = timedelta(days=14)


def pems(bits: int) -> tuple[str, str]:
    """Make an RSA key; give both halves in PEM."""
    key = rsa.generate_private_key(65537, bits)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


PRIVATE, PUBLIC = pems(2048)


class Limit(AnonRateThrottle):
    rate = "5/min"


class Obtain(TokenObtainPairView):
    throttle_classes: Any = [Limit]


class SimplejwtPage(APIView):
    authentication_classes: Any = [JWTAuthentication]
    permission_classes: Any = [IsAuthenticated]

    def get(self, _request: Request) -> Response:
        return Response({})


def safe_simplejwt(**values: Any) -> dict[str, Any]:
    """Give settings of simplejwt that nothing is wrong with, but for `values`."""
    safe = {
        "ALGORITHM": "RS256",
        "SIGNING_KEY": PRIVATE,
        "VERIFYING_KEY": PUBLIC,
        "ISSUER": "https://shop.example",
        "AUDIENCE": "ledger",
        "REFRESH_TOKEN_LIFETIME": REFRESH,
        "ROTATE_REFRESH_TOKENS": True,
        "BLACKLIST_AFTER_ROTATION": True,
    }
    return {**safe, **values}


def ids(found: list[Any]) -> list[str]:
    """Give the ids; each message has its setting, a remedy and a section."""
    assert all(message.hint.endswith(").") for message in found)
    return [message.id.removeprefix("drf_apikit.") for message in found]


def told(check: Any) -> dict[str, str]:
    """Give what a check says, by its id."""
    found = check()
    assert len(ids(found)) == len(set(ids(found)))
    return {message.id.removeprefix("drf_apikit."): message.msg for message in found}


@pytest.fixture(autouse=True)
def _nothing_of_the_example(settings: Any) -> None:
    settings.REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": []}


@pytest.fixture
def blacklist(settings: Any) -> None:
    """Install what simplejwt ends tokens by."""
    settings.INSTALLED_APPS = [
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        BLACKLIST,
    ]


@pytest.fixture
def simplejwt_project(route: Route, settings: Any) -> None:
    """Wire a project that hands out tokens, and takes them."""
    settings.SIMPLE_JWT = safe_simplejwt()
    route(Obtain.as_view(), SimplejwtPage.as_view())
