from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from drf_apikit.models import ExternalIdentity
from drf_apikit.testing import InMemoryIssuer

#: Gives a client that sends a token with these claims.
SignIn = Callable[..., APIClient]


@pytest.fixture
def alice(oidc_issuer: InMemoryIssuer) -> User:
    user = User.objects.create_user("alice")
    ExternalIdentity.objects.create(
        issuer=oidc_issuer.issuer, subject="alice-at-issuer", user=user
    )
    return user


@pytest.fixture
def sign_in(oidc_issuer: InMemoryIssuer) -> SignIn:
    def client(sub: str = "robot", **options: Any) -> APIClient:
        options.setdefault("client_id", "robot")
        with_token = APIClient()
        with_token.credentials(
            HTTP_AUTHORIZATION=oidc_issuer.authorization(sub, **options)
        )
        return with_token

    return client
