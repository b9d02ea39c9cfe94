"""Serializers and payloads that hypothesis makes up: no error is lost or misplaced."""

import json
import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from drf_apikit.problems import exception_handler
from drf_apikit.testing import assert_problem
from tests.torture import failures
from tests.torture.hostile import make_context, make_error

REPEATABLE = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
NOT_NAMES = {"non_field_errors", "__all__", ""}
NAMES = st.text(max_size=4).filter(lambda name: name not in NOT_NAMES) | (
    st.sampled_from(["a/b", "~", "~1", "%", "%2F", "0", "é/ü~", "a b", "#", "?"])
)
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3)
WRONG = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(NAMES, SCALARS)
GRUMBLES = [["One.", "Two."], "Three.", {"own": ["Four."]}]


class Grumbling(serializers.Serializer[Any]):
    """All is well with its fields, yet it has something to say."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        grumble = getattr(self, "grumble", None)
        if grumble is not None:
            raise serializers.ValidationError(grumble, code="grumble")
        return attrs


Pair = tuple[Any, Any]


@st.composite
def leaves(draw: st.DrawFn) -> Pair:
    field = draw(
        st.sampled_from(
            [
                serializers.IntegerField(min_value=0, max_value=5),
                serializers.CharField(max_length=2),
                serializers.BooleanField(),
                serializers.JSONField(binary=True),
                serializers.ChoiceField(["a", "b"]),
                serializers.ListField(
                    child=serializers.CharField(max_length=1), max_length=2
                ),
                serializers.DictField(child=serializers.IntegerField(max_value=2)),
                serializers.ListField(
                    child=serializers.DictField(child=serializers.IntegerField())
                ),
            ]
        )
    )
    return field, draw(WRONG | st.lists(st.dictionaries(NAMES, SCALARS), max_size=2))


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Pair]) -> Pair:
    members = draw(st.dictionaries(NAMES, inner, min_size=1, max_size=3))
    grumble = draw(st.none() | st.sampled_from(GRUMBLES))
    attributes: dict[str, Any] = {name: field for name, (field, _) in members.items()}
    kind: Any = type("Made", (Grumbling,), {**attributes, "grumble": grumble})
    payload = {name: value for name, (_, value) in members.items()}
    for name in draw(st.sets(st.sampled_from(sorted(payload)))):
        if draw(st.booleans()):
            del payload[name]
    if draw(st.booleans()):
        count = draw(st.integers(0, 3))
        items: list[Any] = [payload] * count + draw(st.lists(WRONG, max_size=1))
        return kind(many=True, allow_empty=draw(st.booleans())), items
    return kind(), payload


PAIRS = st.recursive(leaves(), objects, max_leaves=6)


@REPEATABLE
@given(objects(PAIRS))
def test_every_error_is_there_and_leads_to_its_value(pair: Pair) -> None:
    field, payload = pair
    error = raised(field, payload)
    assume(error is not None)
    document = answered(error)
    expected = list(flattened(error.get_full_details()))
    found = [(each["code"], each["detail"]) for each in document["errors"]]
    assert found == expected[:100]
    assert document["errors_total"] == len(expected)
    # As the client sent it.
    sent = json.loads(json.dumps(payload))
    for each in document["errors"]:
        tokens = parse(each["pointer"])
        assert resolves(sent, tokens) or is_missing(sent, tokens, each), each
        assert each["location"] == "body"
        assert each.get("name") == (tokens[-1] if tokens else None)


DETAILS = st.recursive(
    st.builds(ErrorDetail, st.text(max_size=3), st.text(min_size=1, max_size=3)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
    ),
    max_leaves=200,
)


@REPEATABLE
@given(DETAILS)
def test_no_detail_is_lost_or_misplaced(detail: Any) -> None:
    error = ValidationError(detail)
    document = answered(error)
    places = [parse(each["pointer"]) for each in document["errors"]]
    assert places == list(placed(error.detail))[:100]
    expected = list(flattened(error.get_full_details()))
    assert document["errors_total"] == len(expected)
    found = [(each["code"], each["detail"]) for each in document["errors"]]
    assert found == expected[:100]


@settings(REPEATABLE, max_examples=150)
@given(st.integers(0, 2**64))
def test_nothing_breaks_the_handler(seed: int) -> None:
    rng = random.Random(seed)
    response = exception_handler(make_error(rng), make_context(rng))
    assert response is None or failures.judge(response) == ""


@pytest.mark.parametrize(
    ("body", "status", "wrong"),
    [
        (b"{}", 400, KeyError),
        (b'{"status": NaN}', 400, ValueError),
        (b"<html>", 400, ValueError),
        (b'"\\ud800"', 400, ValueError),
    ],
)
def test_the_judge_sees_what_is_no_document(
    body: bytes, status: int, wrong: type[Exception]
) -> None:
    answer = SimpleNamespace(content=body, status_code=status, headers={})
    with pytest.raises(wrong):
        failures.judge(answer)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": ""}, "members"),
        ({"detail": 5}, "members"),
        ({"status": "404"}, "status"),
        ({"status": 400}, "status"),
        ({"errors": {}}, "errors"),
    ],
)
def test_the_judge_sees_wrong_members(change: dict[str, Any], words: str) -> None:
    response: Any = exception_handler(ValidationError("No."), {})
    assert failures.judge(response) == ""
    document = {**json.loads(response.content), **change}
    response.content = json.dumps(document)
    response.status_code = 404 if change.get("status") == 400 else 400
    assert words in failures.judge(response)


def raised(field: Any, payload: Any) -> Any:
    """Validate as a view does; give the error."""
    many = getattr(field, "many", False)
    kind = type(field.child if many else field)
    extra = {"many": True, "allow_empty": field.allow_empty} if many else {}
    try:
        kind(data=payload, **extra).is_valid(raise_exception=True)
    except ValidationError as error:
        return error
    return None


def answered(error: Exception) -> dict[str, Any]:
    response = exception_handler(error, {})
    return assert_problem(response, 400, "validation-error")


def flattened(details: Any) -> Iterator[tuple[str, str]]:
    """Give codes and messages of DRF's own view of an error, in order."""
    if isinstance(details, list):
        for item in details:
            yield from flattened(item)
    elif isinstance(details.get("message"), str) and set(details) == {
        "message",
        "code",
    }:
        yield details["code"], str(details["message"])
    else:
        for item in details.values():
            yield from flattened(item)


def placed(detail: Any, *path: str) -> Iterator[list[str]]:
    """Give the place of each error: a list in a list, or a dict in it, is an item."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from placed(inner, *path, name)
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            item = isinstance(inner, dict | list)
            yield from placed(inner, *path, *([str(index)] if item else []))
    else:
        yield list(path)


def parse(pointer: str) -> list[str]:
    """Read a JSON pointer in its fragment form (RFC 6901 sections 4 and 6)."""
    assert pointer.isascii()
    assert pointer.startswith("#")
    first, *tokens = unquote(pointer[1:], errors="strict").split("/")
    assert first == ""
    return [token.replace("~1", "/").replace("~0", "~") for token in tokens]


def resolves(document: Any, tokens: list[str]) -> bool:
    for token in tokens:
        if isinstance(document, dict) and token in document:
            document = document[token]
        elif (
            isinstance(document, list)
            and token.isdecimal()
            and int(token) < len(document)
        ):
            document = document[int(token)]
        else:
            return False
    return True


def is_missing(sent: Any, tokens: list[str], error: dict[str, Any]) -> bool:
    """Tell a member that was not sent, or one that `validate` speaks of."""
    named = error["code"] == "required" or tokens[-1] == "own"
    return named and resolves(sent, tokens[:-1])
