"""Assertions about problem documents."""

import json
from typing import Any

__all__ = ["assert_problem"]


def assert_problem(
    response: Any, status: int, slug: str | None = None, **members: Any
) -> dict[str, Any]:
    """Assert that a response is a strict RFC 9457 document, and give it.

    `slug` is the end of the type's URI, None for `about:blank`. Each of
    `members` must be there with that value. Works with the responses of
    Django's and DRF's test clients, and of requests.
    """
    content_type = response.headers.get("Content-Type")
    assert content_type == "application/problem+json", content_type
    document: Any = json.loads(response.content)
    assert isinstance(document, dict), document
    assert response.status_code == status, (response.status_code, document)
    assert document.get("status") == status, document
    for name in ("type", "title", "detail", "instance"):
        assert isinstance(document.get(name), str), (name, document)
        assert document[name], (name, document)
    if slug is None:
        assert document["type"] == "about:blank", document["type"]
    else:
        assert document["type"].rpartition("/")[2] == slug, document
    for name, value in members.items():
        assert name in document, (name, document)
        assert document[name] == value, (name, document)
    return dict(document)
