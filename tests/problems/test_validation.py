import json
from datetime import date
from typing import Any
from urllib.parse import unquote

import pytest
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.test import APIClient

from drf_apikit.problems.validation import describe_errors, describe_model_errors
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
        assert entry["location"] == "body"
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


def listed(detail: Any, location: str = "body") -> list[dict[str, Any]]:
    members = describe_errors(detail, location)
    assert set(members) == {"errors", "errors_total"}
    assert members["errors_total"] == len(members["errors"])
    json.dumps(members, allow_nan=False)
    errors: list[dict[str, Any]] = members["errors"]
    return errors


@pytest.mark.parametrize(("detail", "pointers"), SHAPES.values(), ids=SHAPES)
def test_shapes(detail: Any, pointers: list[str]) -> None:
    entries = listed(ValidationError(detail).detail)
    assert [entry["pointer"] for entry in entries] == pointers


@pytest.mark.parametrize(("detail", "pointers"), SHAPES.values(), ids=SHAPES)
def test_pointers_are_for_bodies(detail: Any, pointers: list[str]) -> None:
    entries = listed(ValidationError(detail).detail, "query")
    assert [entry["location"] for entry in entries] == ["query"] * len(pointers)
    assert not any("pointer" in entry for entry in entries)


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_get_has_its_values_in_the_query(method: str) -> None:
    response = getattr(APIClient(), method)("/search/?sku=abc&amount=x")
    assert response.status_code == 400
    if method == "head":
        assert response["Content-Type"] == "application/problem+json"
        return
    document = assert_problem(response, 400, "validation-error", errors_total=1)
    assert document["errors"] == [
        {
            "location": "query",
            "name": "amount",
            "code": "invalid",
            "detail": "A valid integer is required.",
        }
    ]


def test_an_entry_has_no_more_than_it_knows() -> None:
    assert listed(
        {"a": [ErrorDetail("No.", code="odd")], "non_field_errors": ["?"]}
    ) == [
        {
            "location": "body",
            "pointer": "#/a",
            "name": "a",
            "code": "odd",
            "detail": "No.",
        },
        {"location": "body", "pointer": "#", "code": "invalid", "detail": "?"},
    ]


def test_the_key_for_the_whole_is_a_setting(settings: Any) -> None:
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "NON_FIELD_ERRORS_KEY": "whole",
    }
    entries = listed({"whole": ["a"], "non_field_errors": ["b"]})
    assert [entry["pointer"] for entry in entries] == ["#", "#/non_field_errors"]


def test_what_has_no_code_is_invalid() -> None:
    coded = ErrorDetail("a", code="odd")
    entries = listed({"x": [coded, "plain"]})
    assert [entry["code"] for entry in entries] == ["odd", "invalid"]


@pytest.mark.parametrize(
    "make", [lambda x: {"a": x}, lambda x: [x]], ids=["dict", "list"]
)
@pytest.mark.parametrize("depth", [99, 100, 101, 5_000])
def test_what_is_nested_too_deep_is_one_error(make: Any, depth: int) -> None:
    detail: Any = "deep"
    for _ in range(depth):
        detail = make(detail)
    (entry,) = listed(detail)
    expected = "deep" if depth <= 100 else "Nested too deep."
    assert entry["detail"] == expected
    assert entry["pointer"].count("/") <= 100


def rings() -> dict[str, Any]:
    """Give structures that contain themselves."""
    single: list[Any] = []
    single.append(single)
    many: list[Any] = []
    many.extend([many] * 200)
    named: dict[str, Any] = {}
    named["a"] = named
    whole: dict[str, Any] = {}
    whole["non_field_errors"] = whole
    return {"list": single, "wide": many, "dict": named, "whole": whole}


@pytest.mark.parametrize("ring", rings().values(), ids=rings())
def test_a_structure_that_contains_itself_comes_to_an_end(ring: Any) -> None:
    members = describe_errors(ring)
    assert 1 <= len(members["errors"]) <= 100
    assert members["errors_total"] >= len(members["errors"])
    assert {entry["detail"] for entry in members["errors"]} == {"Nested too deep."}
    json.dumps(members)


def test_all_errors_of_a_huge_list_are_counted() -> None:
    members = describe_errors({n: ["a", "b"] for n in range(20_000)})
    assert (len(members["errors"]), members["errors_total"]) == (100, 40_000)


@pytest.mark.parametrize("name", ["\ud800", "\x00", "x" * 10_000], ids=ascii)
def test_an_odd_name_gives_a_pointer_all_the_same(name: str) -> None:
    (entry,) = listed({name: ["a"]})
    assert entry["pointer"].startswith("#/")
    assert entry["pointer"].isascii()
    assert entry["name"] == name


def invalid(message: Any, **values: Any) -> DjangoValidationError:
    return DjangoValidationError(message, **values)


SECRET = object()
LIMIT = {"limit": 3, "ratio": 0.5, "text": "t", "yes": True, 7: 8}
MODEL_ERRORS: dict[str, tuple[DjangoValidationError, list[dict[str, Any]]]] = {
    "text": (
        invalid("No."),
        [{"pointer": "#", "code": "invalid", "detail": "No."}],
    ),
    "code and params": (
        invalid("At most %(limit)s.", code="max", params=LIMIT),
        [
            {
                "pointer": "#",
                "code": "max",
                "detail": "At most 3.",
                "params": {"limit": 3, "ratio": 0.5, "text": "t", "yes": True, "7": 8},
            }
        ],
    ),
    "list": (
        invalid([invalid("a", code="one"), "b"]),
        [
            {"pointer": "#", "code": "one", "detail": "a"},
            {"pointer": "#", "code": "invalid", "detail": "b"},
        ],
    ),
    "dict": (
        invalid({"a": ["b", invalid("c", code="d")], "__all__": "e"}),
        [
            {"pointer": "#/a", "name": "a", "code": "invalid", "detail": "b"},
            {"pointer": "#/a", "name": "a", "code": "d", "detail": "c"},
            {"pointer": "#", "code": "invalid", "detail": "e"},
        ],
    ),
    "params of all kinds": (
        invalid(
            "a",
            params={
                "object": SECRET,
                "day": date(2026, 1, 1),
                "list": [1],
                "nan": float("nan"),
                "infinity": float("inf"),
                "digits": 10**5_000,
                "none": None,
                "kept": -7,
            },
        ),
        [
            {
                "pointer": "#",
                "code": "invalid",
                "detail": "a",
                "params": {"kept": -7},
            }
        ],
    ),
}


@pytest.mark.parametrize(("error", "expected"), MODEL_ERRORS.values(), ids=MODEL_ERRORS)
def test_errors_of_models(
    error: DjangoValidationError, expected: list[dict[str, Any]]
) -> None:
    members = describe_model_errors(error)
    assert members["errors"] == [{"location": "body", **entry} for entry in expected]
    assert members["errors_total"] == len(expected)
    json.dumps(members, allow_nan=False)
    for entry in describe_model_errors(error, "query")["errors"]:
        assert entry["location"] == "query"
        assert "pointer" not in entry


def test_many_errors_of_models_are_counted(settings: Any) -> None:
    settings.DRF_APIKIT = {"PROBLEMS": {"MAX_ERRORS": 2}}
    members = describe_model_errors(invalid(["a", "b", "c"]))
    assert [entry["detail"] for entry in members["errors"]] == ["a", "b"]
    assert members["errors_total"] == 3
