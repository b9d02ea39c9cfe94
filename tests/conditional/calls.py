"""How the tests read and write."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.app.models import Article

__all__ = ["read", "send", "statements", "version_of"]


def send(
    method: str,
    url: str,
    data: Any = None,
    *,
    user: Any = None,
    anonymous: Any = False,
    **headers: Any,
) -> Any:
    """Send a request; usable in any thread. `If_Match` is a header."""
    client = APIClient(raise_request_exception=False)
    if not anonymous:
        client.force_authenticate(user or User(pk=1, username="ada"))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    options: dict[str, Any] = {"headers": named}
    if method not in {"get", "head"}:
        options["format"] = "json"
    return getattr(client, method)(url, data, **options)


def read(url: str, **headers: str) -> str:
    """Give the tag of what is at a URL."""
    response = send("get", url, **headers)
    assert response.status_code == 200
    tag: str = response["ETag"]
    return tag


def statements(call: Callable[[], Any], status: int) -> Counter[str]:
    """Count the statements of a call by their first words."""
    with CaptureQueriesContext(connection) as captured:
        assert call().status_code == status
    return Counter(query["sql"].split()[0] for query in captured)


def version_of(article: Article) -> int:
    return Article.objects.values_list("version", flat=True).get(pk=article.pk)
