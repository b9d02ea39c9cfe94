"""Who needs scopes: whoever comes with a token."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from ledger.permissions import ScopesOfTokens


class View(APIView):
    authentication_classes = ()
    permission_classes = [ScopesOfTokens]
    required_scopes = ("ledger:read",)

    def get(self, _request: Request) -> Response:
        return Response()


def token(*scopes: str) -> Any:
    return SimpleNamespace(scopes=frozenset(scopes))


@pytest.mark.parametrize(
    ("user", "auth", "status"),
    [
        pytest.param(User(pk=1), None, 200, id="session"),
        pytest.param(User(pk=1), token("ledger:read"), 200, id="token"),
        pytest.param(User(pk=1), token("ledger:write"), 403, id="other-scope"),
        pytest.param(User(pk=1), token(), 403, id="no-scope"),
        pytest.param(AnonymousUser(), None, 403, id="nobody"),
    ],
)
def test_scopes_are_asked_of_tokens(user: Any, auth: Any, status: int) -> None:
    request = APIRequestFactory().get("/")
    force_authenticate(request, user, auth)
    assert View.as_view()(request).status_code == status
