"""Which values are the same. How they are used: see test_versioned.py."""

import copy
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import models
from django.db.models import F
from django.db.models.fields.files import FieldFile

from drf_apikit.models.versioned_columns import Outcome, Stored
from tests.app.models import Document

NOON = datetime(2025, 10, 26, 12, tzinfo=UTC)
BERLIN = datetime(2025, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
DOCUMENT = Document()


class Odd:
    """A value that does not say when another one is equal."""


class Even:
    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Even) and other.number == self.number

    def __hash__(self) -> int:
        return self.number


def field(name: str) -> Any:
    return Document._meta.get_field(name)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def differs(name: str, stored: Any, value: Any) -> bool:
    known = Stored.loaded("default", 1, [(field(name).attname, stored)])
    return known.differs(field(name), value)


@pytest.mark.parametrize(
    ("name", "stored", "value"),
    [
        ("title", "a", "a"),
        ("title", "5", 5),
        ("author", 5, "5"),
        ("raw", memoryview(b"a"), b"a"),
        ("raw", b"a", bytearray(b"a")),
        ("raw", b"a", memoryview(b"a")),
        ("extra", {"a": [1, None, "x"]}, {"a": [1, None, "x"]}),
        ("extra", math.nan, math.nan),
        ("extra", [Even(2)], [Even(2)]),
        ("touched", NOON, NOON),
        ("file", "a", FieldFile(DOCUMENT, field("file"), "a")),
        ("file", None, FieldFile(DOCUMENT, field("file"), None)),
        ("file", FieldFile(DOCUMENT, field("file"), "a"), "a"),
    ],
)
def test_the_same(name: str, stored: Any, value: Any) -> None:
    assert not differs(name, stored, value)


@pytest.mark.parametrize(
    ("name", "stored", "value"),
    [
        ("title", "a", "b"),
        ("title", "a", None),
        ("title", "a", F("title")),
        ("amount", Decimal("1.0"), Decimal("1.00")),
        ("extra", 0.0, -0.0),
        ("extra", [0.0], [-0.0]),
        ("extra", [1], [True]),
        ("extra", [1], (1,)),
        ("extra", [[1], 2], [[1, 2]]),
        ("extra", {"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ("extra", {"a": "b"}, ["a", "b"]),
        ("extra", [Even(2)], [Even(4)]),
        ("touched", BERLIN, BERLIN.replace(fold=1)),
        ("file", "a", FieldFile(DOCUMENT, field("file"), None)),
    ],
)
def test_another(name: str, stored: Any, value: Any) -> None:
    assert differs(name, stored, value)


def test_what_is_not_known_differs() -> None:
    assert Stored("default", 1, {}).differs(field("title"), "")
    odd = Odd()
    assert differs("extra", [odd], [odd])


def test_a_value_that_is_changed_in_place_was_kept() -> None:
    even = Even(2)
    value = {"a": [even]}
    known = Stored.loaded("default", 1, [("extra", value)])
    even.number = 4
    assert known.differs(field("extra"), value)


def test_a_very_deep_value_is_compared() -> None:
    assert not differs("extra", nested(10_000), nested(10_000))
    assert differs("extra", nested(10_000), nested(9_999))


def test_fates() -> None:
    name, first, second = "title", Outcome(), Outcome()
    known = Stored("default", 1, {}).written({name: "a"}, first)
    assert known.differs(field(name), "a")
    again = known.written({name: "a"}, second)
    first()
    assert not known.differs(field(name), "a")
    # Either of the two has written this very value.
    assert not again.differs(field(name), "a")
    third = again.written({name: "b"}, Outcome())
    assert third.differs(field(name), "b")
    assert third.written({"text": "x"}, second).differs(field(name), "b")
    assert not third.refreshed({name: "c"}).differs(field(name), "c")
    assert third.written({name: F("text")}, first).values == {}


def test_a_long_transaction_does_not_grow() -> None:
    known = Stored("default", 1, {})
    for _ in range(100):
        known = known.written({"title": "a"}, Outcome())
    assert len(known.unsettled["title"]) == 4


def test_copies_share_the_fate() -> None:
    outcome = Outcome()
    twin = copy.deepcopy(outcome)
    outcome()
    assert twin.settled


def test_a_row_without_a_key_is_none() -> None:
    assert not Stored("default", None, {}).is_of("default", None)


def test_django_still_asks_the_model_itself() -> None:
    """What `VersionedModel` overrides although it is not documented."""
    assert {"_do_update", "_do_insert"} <= vars(models.Model).keys()
