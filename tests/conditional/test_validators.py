from collections.abc import Callable
from typing import Any

import pytest
from django.utils import translation
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from drf_apikit.conditional.validators import body_tag, row_tag


def asking(query: str = "", accepted: str = "application/json") -> Any:
    request = Request(APIRequestFactory().get(f"/{query}"))
    vars(request)["accepted_media_type"] = accepted
    return request


@pytest.mark.compliance("RFC 9110", "8.8.3")
def test_a_tag_names_the_state_then_the_variant() -> None:
    tag = row_tag(7, asking())
    assert tag.state == "1-7"
    assert str(tag).startswith('"1-7.')
    assert not tag.weak
    assert row_tag(7, asking()) == tag


@pytest.mark.compliance("RFC 9110", "8.8.1")
@pytest.mark.parametrize(
    "other",
    [
        lambda: row_tag(8, asking()),
        lambda: row_tag(7, asking(accepted="text/html")),
        lambda: row_tag(7, asking("?a=1")),
        lambda: row_tag(7, asking("?a", "pplication/json")),
    ],
    ids=["version", "media type", "query", "neighbours"],
)
def test_what_shapes_the_bytes_shapes_the_tag(other: Callable[[], Any]) -> None:
    assert other() != row_tag(7, asking())


def test_the_language_shapes_the_tag() -> None:
    with translation.override("de"):
        german = row_tag(7, asking())
    with translation.override(None):
        none = row_tag(7, asking())
    assert len({german, none, row_tag(7, asking())}) == 3


def test_a_request_that_was_not_negotiated() -> None:
    assert row_tag(1, Request(APIRequestFactory().get("/"))).state == "1-1"


@pytest.mark.parametrize("content", [b"", b"a", "ä".encode(), bytes(range(256))])
def test_bytes_make_a_tag(content: bytes) -> None:
    assert body_tag(content) == body_tag(bytes(content))
    assert body_tag(content) != body_tag(content + b"\0")
    assert body_tag(content).state.startswith("1-")
