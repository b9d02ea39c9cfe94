"""What is published about a type: its schema, and an example of a document."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.functional import Promise

from drf_apikit.problem_types import ProblemType
from drf_apikit.problems.document import type_uri

__all__ = ["describe_type", "fingerprint", "schema_of"]

_EXAMPLE_INSTANCE: Final = "urn:uuid:5f7c2a52-6d0e-4a8e-9d57-0c4f2f6b8a11"

#: Keywords of JSON Schema: for people; with schemas by name; with plain values.
_WORDS: Final = frozenset({"title", "description", "examples", "example", "$comment"})
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs"})
_VALUES: Final = frozenset({"const", "enum", "default"})

_SAMPLES: Final[Mapping[str, Any]] = {
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "null": None,
}
_FORMATS: Final[Mapping[Any, str]] = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "email": "ada@api.example",
    "uri": "https://api.example/",
    "uuid": "5f7c2a52-6d0e-4a8e-9d57-0c4f2f6b8a11",
}


def describe_type(kind: ProblemType) -> dict[str, Any]:
    """Give everything that there is to know, in the active language."""
    return {
        "type": type_uri(kind),
        "slug": kind.slug,
        "title": str(kind.title),
        "status": kind.status,
        "documentation": str(kind.documentation),
        "headers": {name: str(text) for name, text in kind.headers.items()},
        "schema": schema_of(kind),
        "example": _example(kind),
    }


def schema_of(kind: ProblemType) -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of the type's documents."""
    text = {"type": "string"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {"const": type_uri(kind)},
            "title": text,
            "status": {"const": kind.status},
            "detail": text,
            "instance": {"type": "string", "format": "uri"},
            "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
            **_plain(kind.extensions),
        },
    }


def fingerprint(kind: ProblemType) -> dict[str, Any]:
    """Give what clients rely on; words may change, this may not."""
    members = {name: _bare(schema) for name, schema in kind.extensions.items()}
    return {"status": kind.status, "members": members}


def _bare(schema: Any) -> Any:
    """Leave out what a schema says to people."""
    if isinstance(schema, list | tuple):
        return [_bare(item) for item in schema]
    if not isinstance(schema, Mapping):
        return _plain(schema)
    bare = {}
    for key, value in schema.items():
        if key in _NAMED:
            bare[key] = {name: _bare(member) for name, member in value.items()}
        elif key in _VALUES:
            bare[key] = _plain(value)
        elif key not in _WORDS:
            bare[key] = _bare(value)
    return bare


def _plain(value: Any) -> Any:
    """Give lists, dicts and texts for what is read-only or lazy."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Promise) else value


def _example(kind: ProblemType) -> dict[str, Any]:
    return {
        "type": type_uri(kind),
        "title": str(kind.title),
        "status": kind.status,
        "detail": str(kind.documentation or kind.title),
        "instance": _EXAMPLE_INSTANCE,
        **{name: _sample(schema) for name, schema in _plain(kind.extensions).items()},
    }


def _sample(schema: Any) -> Any:
    """Make a value up that fits a schema, or take the one that it suggests."""
    if not isinstance(schema, Mapping):
        return None
    if schema.get("examples"):
        return schema["examples"][0]
    for key in ("example", "default", "const"):
        if key in schema:
            return schema[key]
    for key in ("enum", "anyOf", "oneOf", "allOf"):
        if schema.get(key):
            first = schema[key][0]
            return first if key == "enum" else _sample(first)
    return _typed(schema)


def _typed(schema: Mapping[str, Any]) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "array":
        return [_sample(schema.get("items"))] * max(1, schema.get("minItems", 1))
    if kind == "object":
        members = schema.get("properties", {})
        return {name: _sample(member) for name, member in members.items()}
    if kind == "string":
        text = _FORMATS.get(schema.get("format"), _SAMPLES["string"])
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
    sample = _SAMPLES.get(str(kind))
    return schema.get("minimum", schema.get("maximum", sample))
