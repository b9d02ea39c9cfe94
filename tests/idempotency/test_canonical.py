import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.utils.safestring import mark_safe
from hypothesis import given, settings
from hypothesis import strategies as st

from drf_apikit.idempotency import canonical as module
from drf_apikit.idempotency.canonical import UnwritableError, canonical


class Color(StrEnum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


def upload(content: bytes = b"1", name: str = "a", kind: str = "b") -> Any:
    return SimpleUploadedFile(name, content, kind)


#: No two of them are the same, whatever Python says.
DIFFERENT: list[Any] = [
    *(None, False, True, 0, 1, -1, 1.0, 0.0, -0.0, "1", "", "None", "1.0", b"1"),
    *(Decimal(1), Decimal("1.0"), Decimal("0.1"), Decimal("0.10000000000000000001")),
    *(float("nan"), float("inf"), 10**5000, 10**5000 + 1, "\ud800", "?", "\ufffd"),
    *(date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01", time(1)),
    *(timedelta(days=1), timedelta(1, 1), UUID(int=1), str(UUID(int=1))),
    *([], {}, [[]], [{}], [None], [1, 2], [2, 1], [[1], 2], [[1, 2]], ["1", 2]),
    *({"a": 1}, {"a": None}, {"a": [1]}, {"A": 1}, {"a": 1, "b": 1}, {"b": 1}),
    *({1: "a"}, {"1": "a"}, {1.5: "a"}, {None: "a"}, {"None": "a"}, {True: "a"}),
    *({"a": {"b": 1}, "c": 2}, {"a": {"b": 1, "c": 2}}, {"a": 2, "c": {"b": 1}}),
    *(["int 1:1"], ["a", "b"], ["ab"], ["astr 1:b"], {"a": "b"}, ["a", "str 1:b"]),
    *(upload(), upload(b"2"), upload(name="b"), upload(kind="c"), ContentFile(b"1")),
    ["a", "b", hashlib.sha256(b"1").hexdigest()],
]


def test_values_of_different_types_or_texts_are_different() -> None:
    assert len({canonical(value) for value in DIFFERENT}) == len(DIFFERENT)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
        ({1: "x", "a": "y", None: "z"}, {None: "z", "a": "y", 1: "x"}),
        ((1, (2,)), [1, [2]]),
        (OrderedDict(b=1, a=2), {"a": 2, "b": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (QueryDict("a=1&b=2&a=3"), {"b": ["2"], "a": ["1", "3"]}),
        (mark_safe("text"), "text"),
        (Color.RED, "red"),
        (Size.BIG, 3),
        (ContentFile(b"\xff" * 200_000, "a"), ContentFile(b"\xff" * 200_000, "a")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_say_the_same_are_the_same(one: Any, other: Any) -> None:
    assert canonical(one) == canonical(other)


#: A stored fingerprint is compared by other processes, and other versions of Python.
@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (
            {"b": [1, -255, 0.1], "a": None},
            b"{2:str 1:astr 1:bNoneType 0:[3:int 1:1int 3:-fffloat 3:0.1",
        ),
        (["ä", True, Decimal("1.50")], b"[3:str 2:\xc3\xa4bool 1:1Decimal 4:1.50"),
        (datetime(2026, 1, 1, tzinfo=UTC), b"date 25:2026-01-01T00:00:00+00:00"),
    ],
)
def test_the_octets_never_change(value: Any, octets: bytes) -> None:
    assert canonical(value) == hashlib.sha256(octets).hexdigest()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (object(), "object"),
        ({"a": [1, {2, 3}]}, "set"),
        ({(1, 2): "a"}, "tuple"),
        (iter("ab"), "str_ascii_iterator"),
        (range(3), "range"),
        (1j, "complex"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_may_differ_in_the_next_process_is_not_written(
    value: Any, name: str
) -> None:
    with pytest.raises(UnwritableError, match=name):
        canonical(value)


def nested(depth: int, wrap: Callable[[Any], Any], value: Any) -> Any:
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"a": v}], ids=["[]", "{}"])
def test_depth_is_no_limit(wrap: Callable[[Any], Any]) -> None:
    one, other = (nested(20_000, wrap, value) for value in (1, 2))
    assert canonical(one) != canonical(other)


def test_references_within_a_document_end(monkeypatch: pytest.MonkeyPatch) -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    monkeypatch.setattr(module, "MAX_VALUES", 1_000)
    for value in (cycle, nested(60, lambda v: [v, v], "lol"), [0] * 1_000):
        with pytest.raises(UnwritableError, match="million"):
            canonical(value)
    assert canonical([0] * 999)


def test_a_file_stays_where_it_was() -> None:
    file = upload(b"abcdef")
    file.seek(2)
    assert canonical({"f": file}) == canonical({"f": upload(b"abcdef")})
    assert file.read() == b"cdef"


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(VALUES, VALUES)
def test_digests_are_equal_exactly_when_values_are(one: Any, other: Any) -> None:
    again = json.loads(json.dumps(one))
    assert canonical(again) == canonical(one)
    assert (canonical(one) == canonical(other)) == (text(one) == text(other))


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    match value:
        case dict():
            inner = list(value.items())
        case list():
            inner = list(enumerate(value))
        case _:
            return [path]
    return [path, *(p for name, item in inner for p in paths(item, (*path, name)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copied = value.copy()
    copied[path[0]] = replaced(value[path[0]], path[1:], new)
    return copied


@settings(max_examples=60, deadline=None, derandomize=True)
@given(VALUES, st.data())
def test_a_change_anywhere_changes_the_digest(value: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(paths(value)))
    changed = replaced(value, path, data.draw(LEAVES))
    assert (canonical(changed) == canonical(value)) == (text(changed) == text(value))
