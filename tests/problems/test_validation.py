import json
from typing import Any
from urllib.parse import unquote

import pytest
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.test import APIClient

from drf_apikit.problems.validation import list_errors
from drf_apikit.testing import assert_problem

pytestmark = pytest.mark.urls("tests.problems.urls")
LINE = {"sku": "abc", "amount": 1}
GOOD = {"buyer": "ada", "lines": [LINE]}


def errors_of(data: Any) -> list[tuple[str, str, str | None]]:
    response = APIClient().post("/orders/", data, format="json")
    document = assert_problem(response, 400, "validation-error")
    assert document["errors_total"] == len(document["errors"])
    for entry in document["errors"]:
        assert entry["detail"]
        assert resolves(entry["pointer"], data), entry
    return [(e["pointer"], e["code"], e.get("name")) for e in document["errors"]]


def resolves(pointer: str, document: Any) -> bool:
    """Follow a pointer; its last step may be a member that is missing."""
    assert pointer.startswith("#")
    steps = unquote(pointer[1:]).split("/")[1:]
    for number, step in enumerate(steps, 1):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list):
            document = document[int(name)]
        elif name in document:
            document = document[name]
        else:
            return number == len(steps)
    return True


CASES: dict[str, tuple[Any, list[tuple[str, str, str | None]]]] = {
    "missing": (
        {},
        [("#/buyer", "required", "buyer"), ("#/lines", "required", "lines")],
    ),
    "null": ({**GOOD, "buyer": None}, [("#/buyer", "null", "buyer")]),
    "nested": (
        {**GOOD, "first": {"sku": "abcd", "amount": 0}},
        [
            ("#/first/sku", "max_length", "sku"),
            ("#/first/amount", "min_value", "amount"),
        ],
    ),
    "nested object as a whole": (
        {**GOOD, "first": {**LINE, "sku": "no"}},
        [("#/first", "unsold", "first")],
    ),
    "items": (
        {**GOOD, "lines": [{**LINE, "amount": 0}, LINE, {"sku": "abc"}]},
        [
            ("#/lines/0/amount", "min_value", "amount"),
            ("#/lines/2/amount", "required", "amount"),
        ],
    ),
    "item as a whole": (
        {**GOOD, "lines": [LINE, {**LINE, "sku": "no"}]},
        [("#/lines/1", "unsold", "1")],
    ),
    "no list": ({**GOOD, "lines": {}}, [("#/lines", "not_a_list", "lines")]),
    "no object": ({**GOOD, "lines": [1]}, [("#/lines/0", "invalid", "0")]),
    "list field": (
        {**GOOD, "lines": [{**LINE, "tags": ["ok", "long", "longer"]}]},
        [
            ("#/lines/0/tags/1", "max_length", "1"),
            ("#/lines/0/tags/2", "max_length", "2"),
        ],
    ),
    "dict field": (
        {**GOOD, "notes": {"a/b": "x", "c~d": "y", "ä %": "z", "ok": 1}},
        [
            ("#/notes/a~1b", "invalid", "a/b"),
            ("#/notes/c~0d", "invalid", "c~d"),
            ("#/notes/%C3%A4%20%25", "invalid", "ä %"),
        ],
    ),
    "the whole": (
        {**GOOD, "buyer": "nobody"},
        [("#", "invalid", None), ("#", "invalid", None)],
    ),
    "not an object": (7, [("#", "invalid", None)]),
    "many": (
        [GOOD, {**GOOD, "buyer": ""}, {"lines": [LINE]}],
        [("#/1/buyer", "blank", "buyer"), ("#/2/buyer", "required", "buyer")],
    ),
    "first of many": ([{"lines": [LINE]}], [("#/0/buyer", "required", "buyer")]),
    "one of many as a whole": (
        [GOOD, {**GOOD, "buyer": "nobody"}],
        [("#/1", "invalid", "1"), ("#/1", "invalid", "1")],
    ),
}


@pytest.mark.compliance("RFC 6901", "6")
@pytest.mark.parametrize(("data", "expected"), CASES.values(), ids=CASES)
def test_pointers_resolve(
    data: Any, expected: list[tuple[str, str, str | None]]
) -> None:
    assert errors_of(data) == expected


def test_good_data() -> None:
    response = APIClient().post("/orders/", GOOD, format="json")
    assert response.status_code == 201


def test_many_errors_are_counted_but_not_all_listed(settings: Any) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"MAX_ERRORS": 3}}
    data = {"buyer": "ada", "lines": [{"sku": "abc"}] * 500}
    response = APIClient().post("/orders/", data, format="json")
    document = assert_problem(response, 400, "validation-error", errors_total=500)
    pointers = [entry["pointer"] for entry in document["errors"]]
    assert pointers == [f"#/lines/{n}/amount" for n in range(3)]


SHAPES: dict[str, tuple[Any, list[str]]] = {
    "text": ("a", ["#"]),
    "list of texts": (["a", "b"], ["#", "#"]),
    "empty": ([], []),
    "list of objects": ([{}, {"a": ["b"]}], ["#/1/a"]),
    "list of lists": ([["a"], ["b"]], ["#/0", "#/1"]),
    "text for a field": ({"a": "b"}, ["#/a"]),
    "integer keys": ({0: ["a"], 2: {"x": ["b"]}}, ["#/0", "#/2/x"]),
    "tuple": ({"a": ("b", "c")}, ["#/a", "#/a"]),
    "empty name": ({"": ["a"]}, ["#/"]),
    "marks of a fragment": (
        {"a-._~!$&'()*+,;=:@?": ["x"]},
        ["#/a-._~0!$&'()*+,;=:@?"],
    ),
    "others": ({'"#<>[]^`{|}\\': ["x"]}, ["#/%22%23%3C%3E%5B%5D%5E%60%7B%7C%7D%5C"]),
}


@pytest.mark.parametrize(("detail", "pointers"), SHAPES.values(), ids=SHAPES)
def test_shapes(detail: Any, pointers: list[str]) -> None:
    entries, total = list_errors(ValidationError(detail).detail, 100)
    found = [entry["pointer"] for entry in entries]
    assert (found, total) == (pointers, len(pointers))
    json.dumps(entries)


def test_the_key_for_the_whole_is_a_setting(settings: Any) -> None:
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "NON_FIELD_ERRORS_KEY": "whole",
    }
    detail = {"whole": ["a"], "non_field_errors": ["b"]}
    entries, _ = list_errors(detail, 100)
    assert [entry["pointer"] for entry in entries] == ["#", "#/non_field_errors"]


def test_what_has_no_code_is_invalid() -> None:
    coded = ErrorDetail("a", code="odd")
    entries, _ = list_errors({"x": [coded, "plain"]}, 100)
    assert [entry["code"] for entry in entries] == ["odd", "invalid"]


def test_the_depth_has_no_limit() -> None:
    detail: Any = ["deep"]
    for _ in range(5_000):
        detail = {"a": detail}
    (entry,), total = list_errors(detail, 100)
    assert (entry["pointer"], total) == ("#" + "/a" * 5_000, 1)
