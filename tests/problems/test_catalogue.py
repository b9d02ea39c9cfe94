import json
from types import MappingProxyType
from typing import Any

import pytest
from django.utils import translation
from django.utils.translation import gettext_lazy
from jsonschema import Draft202012Validator

from drf_apikit.problem_types import NOT_FOUND, SERVICE_UNAVAILABLE, ProblemType
from drf_apikit.problems.catalogue import describe_type, fingerprint, schema_of
from drf_apikit.problems.document import Answer, respond
from drf_apikit.problems.registry import problem_types

ALL = list(problem_types().values())


def kind_with(schema: Any) -> ProblemType:
    return ProblemType("odd", "Odd", 409, extensions={"member": schema})


def check(kind: ProblemType) -> Any:
    described = describe_type(kind)
    schema, example = described["schema"], described["example"]
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(
        schema, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    validator.validate(example)
    assert json.loads(json.dumps(described)) == described
    return example


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.slug)
def test_the_example_of_every_published_type_fits_its_schema(kind: ProblemType) -> None:
    example = check(kind)
    assert set(example) >= {"type", "title", "status", "detail", "instance"}
    assert set(example) >= set(kind.extensions)
    assert example["detail"]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.slug)
def test_documents_that_are_sent_fit_the_schema_too(kind: ProblemType) -> None:
    sent = respond(Answer(kind.status, kind, kind.documentation)).document
    Draft202012Validator(schema_of(kind)).validate(sent)
    wrong = {**sent, "status": kind.status + 1}
    assert not Draft202012Validator(schema_of(kind)).is_valid(wrong)


SHAPES: dict[str, tuple[Any, Any]] = {
    "anything": ({}, None),
    "string": ({"type": "string"}, "text"),
    "integer": ({"type": "integer"}, 1),
    "number": ({"type": "number"}, 1.5),
    "boolean": ({"type": "boolean"}, True),
    "null": ({"type": "null"}, None),
    "minimum": ({"type": "integer", "minimum": 7}, 7),
    "maximum": ({"type": "integer", "maximum": -7}, -7),
    "both": ({"type": "number", "minimum": 0, "maximum": 1}, 0),
    "long": ({"type": "string", "minLength": 6}, "textxx"),
    "short": ({"type": "string", "maxLength": 2}, "te"),
    "date": ({"type": "string", "format": "date"}, "2026-01-31"),
    "time": ({"type": "string", "format": "date-time"}, "2026-01-31T12:00:00Z"),
    "email": ({"type": "string", "format": "email"}, "ada@api.example"),
    "uri": ({"type": "string", "format": "uri"}, "https://api.example/"),
    "uuid": (
        {"type": "string", "format": "uuid"},
        "5f7c2a52-6d0e-4a8e-9d57-0c4f2f6b8a11",
    ),
    "other format": ({"type": "string", "format": "odd"}, "text"),
    "one of two types": ({"type": ["string", "null"]}, "text"),
    "array": ({"type": "array"}, [None]),
    "array of": ({"type": "array", "items": {"type": "integer"}}, [1]),
    "array of three": (
        {"type": "array", "items": {"type": "null"}, "minItems": 3},
        [None, None, None],
    ),
    "array of anything": ({"type": "array", "items": True}, [None]),
    "object": ({"type": "object"}, {}),
    "object of": (
        {
            "type": "object",
            "properties": {
                "a": {"type": "object", "properties": {"title": {"type": "string"}}}
            },
        },
        {"a": {"title": "text"}},
    ),
    "enum": ({"enum": ["b", "a"]}, "b"),
    "enum of null": ({"enum": [None, "a"]}, None),
    "const": ({"const": {"a": [1]}}, {"a": [1]}),
    "const of null": ({"const": None}, None),
    "default": ({"type": "integer", "default": 0}, 0),
    "example": ({"type": "integer", "example": 5}, 5),
    "examples": ({"type": "integer", "examples": [6, 7]}, 6),
    "no examples": ({"type": "integer", "examples": []}, 1),
    "any of": ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 1),
    "one of": ({"oneOf": [{"type": "string"}, {"type": "null"}]}, "text"),
    "all of": ({"allOf": [{"type": "integer"}]}, 1),
    "read only": (
        MappingProxyType(
            {"type": "array", "items": MappingProxyType({"type": "integer"})}
        ),
        [1],
    ),
    "tuple": ({"enum": ("a", "b")}, "a"),
    "lazy": ({"type": "string", "description": gettext_lazy("Not found")}, "text"),
}


@pytest.mark.parametrize(("schema", "sample"), SHAPES.values(), ids=SHAPES)
def test_a_sample_fits_its_schema(schema: Any, sample: Any) -> None:
    assert check(kind_with(schema))["member"] == sample


def test_a_schema_that_is_true_is_anything() -> None:
    described = describe_type(
        kind_with({"type": "object", "properties": {"a": True, "b": False}})
    )
    assert described["example"]["member"] == {"a": None, "b": None}


def test_everything_about_a_type() -> None:
    described = describe_type(SERVICE_UNAVAILABLE)
    assert described["type"] == "/problems/service-unavailable"
    assert (described["slug"], described["status"]) == ("service-unavailable", 503)
    assert described["headers"] == {"Retry-After": "Seconds to wait."}
    assert described["schema"]["properties"]["type"] == {"const": described["type"]}


def test_words_follow_the_language_and_the_rest_does_not() -> None:
    english = describe_type(NOT_FOUND)
    with translation.override("de"):
        german = describe_type(NOT_FOUND)
        assert fingerprint(NOT_FOUND) == {"status": 404, "members": {}}
    assert german["title"] == "Nicht gefunden"
    assert german["documentation"] != english["documentation"]
    assert german["schema"] == english["schema"]
    assert german["type"] == english["type"]


def test_a_fingerprint_has_no_words() -> None:
    schema = {
        "type": "object",
        "title": "Words",
        "description": gettext_lazy("Words"),
        "$comment": "words",
        "examples": [1],
        "properties": {
            "title": {"type": "string", "description": "words"},
            "kind": {"enum": ("a", "b"), "default": {"title": 1}},
        },
        "anyOf": ({"required": ("title",), "title": "Words"},),
        "additionalProperties": False,
    }
    assert fingerprint(kind_with(schema)) == {
        "status": 409,
        "members": {
            "member": {
                "type": "object",
                "properties": {
                    "title": {"type": "string"},
                    "kind": {"enum": ["a", "b"], "default": {"title": 1}},
                },
                "anyOf": [{"required": ["title"]}],
                "additionalProperties": False,
            }
        },
    }
