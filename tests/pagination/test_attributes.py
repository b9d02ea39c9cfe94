"""Attributes of paginators that cannot be used, and what a string means."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from drf_apikit.exceptions import ParameterError
from drf_apikit.pagination.attributes import faults
from tests.app.models import Article
from tests.pagination.kinds import KINDS

pytestmark = pytest.mark.django_db


def ask(kind: str, query: str = "", **own: Any) -> Any:
    """Paginate by a class with these attributes."""
    paginator = type("Pages", (KINDS[kind],), own)()
    request = Request(APIRequestFactory().get(f"/?{query}"))
    paginator.paginate_queryset(Article.objects.all(), request)
    return paginator


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("count_strategy", "bogus", "one of exact, bounded, estimated, none"),
        ("count_strategy", "", "one of exact, bounded, estimated, none"),
        ("count_strategy", ["none"], "one of exact, bounded, estimated, none"),
        ("count_choices", "bound", "a list out of exact, bounded, estimated, none"),
        ("count_choices", ["all"], "a list out of exact, bounded, estimated, none"),
        ("count_choices", 1, "a list out of exact, bounded, estimated, none"),
        ("count_bound", 0, "a whole number from 1"),
        ("count_timeout", -1, "a whole number from 0"),
        ("max_offset", "9", "a whole number from 0"),
    ],
)
def test_what_cannot_be_used_is_named(
    kind: str, name: str, value: Any, remedy: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        ask(kind, **{name: value})
    said = f"Pages.{name} is {value!r}, and has to be {remedy}."
    assert str(caught.value) == said


@pytest.mark.usefixtures("articles")
@pytest.mark.parametrize("value", [0, -1, "25", 2.0, True])
def test_a_size_is_a_positive_whole_number(kind: str, value: Any) -> None:
    limits = kind == "offset"
    sizes = ("default_limit", "max_limit") if limits else ("page_size", "max_page_size")
    for name in sizes:
        with pytest.raises(ImproperlyConfigured, match=f"Pages.{name} is {value!r}, "):
            ask(kind, **{name: value})


@pytest.mark.usefixtures("articles")
def test_a_size_may_be_found_at_the_request(kind: str) -> None:
    name = "default_limit" if kind == "offset" else "page_size"
    value: Any = property(lambda _: -1)
    with pytest.raises(ImproperlyConfigured, match=f"Pages.{name} is -1, "):
        ask(kind, **{name: value})
    assert list(faults(type("Pages", (KINDS[kind],), {name: value}))) == []


@pytest.mark.usefixtures("articles")
def test_a_string_is_one_choice(kind: str) -> None:
    own: dict[str, Any] = {"count_choices": "bounded", "count_bound": 4}
    assert ask(kind, **own).total.relation == "exact"
    assert ask(kind, "count=bounded", **own).total.relation == "at_least"
    for other in ("none", "bound", "exact", ""):
        with pytest.raises(ParameterError):
            ask(kind, f"count={other}", **own)
    (described,) = [
        parameter
        for parameter in ask(kind, **own).get_schema_operation_parameters(None)
        if parameter["name"] == "count"
    ]
    assert described["schema"]["enum"] == ["bounded"]
