"""A provider to log in at, and a project that does."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from tests.login.attacking import Stage
from tests.login.provider import CLIENT_ID, CLIENT_SECRET, Provider, serving


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as running:
        yield running


@pytest.fixture
def login_settings(provider: Provider, settings: Any) -> Any:
    """Log in at the provider; what is not set is as the package has it."""
    cache.clear()
    settings.DRF_APIKIT = {
        **settings.DRF_APIKIT,
        "LOGIN": {"ISSUER": provider.url, "INSECURE_LOOPBACK_HTTP": True},
    }
    settings.OIDC_RP_CLIENT_ID = CLIENT_ID
    settings.OIDC_RP_CLIENT_SECRET = CLIENT_SECRET
    settings.OIDC_RP_SIGN_ALGO = "RS256"
    settings.AUTHENTICATION_BACKENDS = [
        "drf_apikit.login.backend.OIDCAuthenticationBackend",
        "django.contrib.auth.backends.ModelBackend",
    ]
    return settings


@pytest.fixture
def stage(
    provider: Provider, login_settings: Any, caplog: pytest.LogCaptureFixture
) -> Stage:
    """Set a project, a browser and a provider up for an attack."""
    caplog.set_level(logging.DEBUG)
    login_settings.OIDC_TIMEOUT = 2
    login_settings.LOGIN_REDIRECT_URL = "/"
    login_settings.ROOT_URLCONF = "tests.login.attack_urls"
    return Stage(provider, Client(raise_request_exception=False), caplog)
