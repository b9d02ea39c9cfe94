"""The constants, over django-cors-headers itself."""

from typing import Any

import pytest
from corsheaders.defaults import default_headers
from django.test import Client

from drf_apikit.http.cors import ALLOWED_HEADERS, EXPOSED_HEADERS

ORIGIN = "https://app.example"


@pytest.fixture
def client(settings: Any) -> Client:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "corsheaders"]
    settings.MIDDLEWARE = [
        "corsheaders.middleware.CorsMiddleware",
        *settings.MIDDLEWARE,
    ]
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    settings.CORS_EXPOSE_HEADERS = EXPOSED_HEADERS
    settings.CORS_ALLOW_HEADERS = (*default_headers, *ALLOWED_HEADERS)
    return Client(headers={"Origin": ORIGIN})


def words(header: str) -> set[str]:
    return {word.strip() for word in header.split(",")}


@pytest.mark.parametrize("names", [ALLOWED_HEADERS, EXPOSED_HEADERS])
def test_names_are_as_settings_want_them(names: tuple[str, ...]) -> None:
    assert list(names) == sorted({name.lower() for name in names})


def test_a_script_may_read_what_the_blocks_say(client: Client) -> None:
    response: Any = client.get("/api/accounts/")
    assert response.status_code == 401
    exposed = words(response["Access-Control-Expose-Headers"])
    assert exposed == set(EXPOSED_HEADERS)
    assert "www-authenticate" in exposed
    assert {"etag", "idempotent-replayed", "location", "retry-after"} <= exposed


def test_a_script_may_send_what_the_blocks_read(client: Client) -> None:
    response: Any = client.options(
        "/api/accounts/", headers={"Access-Control-Request-Method": "POST"}
    )
    assert response.status_code == 200
    allowed = words(response["Access-Control-Allow-Headers"])
    wanted = {"authorization", "content-type", "if-match", "if-none-match"}
    assert wanted | {"idempotency-key", "traceparent"} <= allowed
