"""How the tests call protected operations."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from rest_framework.test import APIClient

from drf_apikit.authentication import AccessToken, ClientPrincipal

__all__ = ["Call", "caller", "machine", "outcome", "person"]

#: post(url, key, data, **options)
Call = Callable[..., Any]


def caller(user: Any, token: Any = None, method: str = "post") -> Call:
    """Give a function that sends requests of that user; usable in any thread."""

    def call(
        url: str = "/effects/",
        key: str | None = "key-1",
        data: Any = None,
        **options: Any,
    ) -> Any:
        client = APIClient(raise_request_exception=False)
        client.force_authenticate(user, token)
        headers = {} if key is None else {"Idempotency-Key": key}
        options.setdefault("format", "json")
        body = {"amount": 1} if data is None else data
        send = getattr(client, method)
        return send(
            url, body, headers={**headers, **options.pop("headers", {})}, **options
        )

    return call


def machine(client_id: str, issuer: str = "https://issuer.test") -> Call:
    """Give the same for a machine client without a user."""
    token = AccessToken({"iss": issuer, "sub": client_id, "client_id": client_id})
    return caller(ClientPrincipal(issuer, client_id), token)


def outcome(response: Any) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Give what a replay must repeat."""
    kept = {"content-type", "location", "etag", "content-disposition", "link"}
    headers = [pair for pair in response.items() if pair[0].lower() in kept]
    return response.status_code, response.content, headers


def person(name: str) -> User:
    return User.objects.create(username=name)
