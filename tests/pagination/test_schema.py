"""What the schema hooks of DRF say of each paginator."""

import json
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.views import APIView

from drf_apikit.pagination import EnvelopePagination
from tests.pagination.kinds import KINDS

SIZE = {"type": "integer", "minimum": 1, "maximum": 20, "default": 2}
OWN: dict[str, dict[str, Any]] = {
    "cursor": {"cursor": {"type": "string"}, "page_size": SIZE},
    "offset": {
        "offset": {"type": "integer", "minimum": 0, "maximum": 10_000},
        "limit": SIZE,
    },
    "page": {"page": {"type": "integer", "minimum": 1}, "page_size": SIZE},
}


def parameters_of(kind: str, **attributes: Any) -> dict[str, Any]:
    paginator = type("Own", (KINDS[kind],), attributes)()
    found = paginator.get_schema_operation_parameters(APIView())
    assert json.dumps(found)
    for one in found:
        assert (one["in"], one["required"]) == ("query", False)
        assert one["description"]
    return {one["name"]: one["schema"] for one in found}


def test_each_parameter_is_described_with_its_limits(kind: str) -> None:
    assert parameters_of(kind) == OWN[kind]


def test_the_ways_to_count_are_an_enumeration(kind: str) -> None:
    attributes = {"count_choices": {"none", "bounded", "exact"}}
    count = {"type": "string", "enum": ["exact", "bounded", "none"]}
    found = parameters_of(kind, **attributes)
    assert found == {**OWN[kind], "count": {**count, "default": "exact"}}
    found = parameters_of(
        kind, **attributes, count_strategy="none", count_query_param="total"
    )
    assert found["total"] == {**count, "default": "none"}


@pytest.mark.parametrize(
    ("own", "attributes", "maximum", "default"),
    [
        ({}, {"page_size": None, "max_page_size": None}, 100, 100),
        ({"MAX_PAGE_SIZE": 30}, {"page_size": None, "max_page_size": None}, 30, 30),
        ({"PAGE_SIZE": 7}, {"page_size": None, "max_page_size": None}, 100, 7),
        ({"PAGE_SIZE": 7, "MAX_PAGE_SIZE": 5}, {"page_size": None}, 20, 7),
        ({"PAGE_SIZE": 70}, {"page_size": None}, 20, 20),
        ({}, {"page_size": 50}, 20, 20),
        ({}, {"page_size": 500, "max_page_size": None}, 500, 500),
        ({"MAX_PAGE_SIZE": 3}, {"page_size": 5, "max_page_size": None}, 5, 5),
        ({"MAX_PAGE_SIZE": 3}, {"page_size": 2, "max_page_size": None}, 3, 2),
    ],
    ids=str,
)
def test_a_class_is_asked_before_the_settings(
    settings: Settings,
    own: dict[str, int],
    attributes: dict[str, int | None],
    maximum: int,
    default: int,
) -> None:
    settings.DRF_APIKIT = {"PAGINATION": own}
    limits = {"type": "integer", "minimum": 1, "maximum": maximum, "default": default}
    for kind in ("cursor", "page"):
        assert parameters_of(kind, **attributes)["page_size"] == limits
    names = {"page_size": "default_limit", "max_page_size": "max_limit"}
    of_offset = {names[name]: value for name, value in attributes.items()}
    assert parameters_of("offset", **of_offset)["limit"] == limits


def test_depth_has_the_maximum_of_class_or_setting(settings: Settings) -> None:
    settings.DRF_APIKIT = {"PAGINATION": {"MAX_OFFSET": 7}}
    assert parameters_of("offset")["offset"]["maximum"] == 7
    assert parameters_of("offset", max_offset=0)["offset"]["maximum"] == 0


def test_a_parameter_without_a_name_is_none() -> None:
    for kind in ("cursor", "page"):
        found = parameters_of(kind, page_size_query_param=None)
        assert "page_size" not in found
    assert set(parameters_of("offset", limit_query_param=None)) == {"offset"}


def test_the_envelope_of_all_three_is_one() -> None:
    rows = {"type": "array", "items": {"type": "integer"}}
    schemas = [kind().get_paginated_response_schema(rows) for kind in KINDS.values()]
    assert schemas[0] == schemas[1] == schemas[2]
    assert schemas[0]["properties"]["results"] == rows
    assert json.dumps(schemas[0])


@pytest.mark.parametrize("name", ["first", "previous", "next", "last"])
def test_a_paginator_of_one_s_own_says_where_its_pages_are(name: str) -> None:
    links = {f"get_{n}_link": str for n in ("first", "previous", "next", "last")}
    own: Any = type("Own", (EnvelopePagination,), links)
    assert own()
    del links[f"get_{name}_link"]
    lacking: Any = type("Lacking", (EnvelopePagination,), links)
    with pytest.raises(TypeError, match=f"get_{name}_link"):
        lacking()
