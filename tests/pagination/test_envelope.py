import pytest

from drf_apikit.keyset import Total
from drf_apikit.pagination.envelope import envelope_schema, not_below, read_number


def test_every_member_is_required_and_typed() -> None:
    rows = {"type": "array", "items": {"type": "integer"}}
    schema = envelope_schema(rows)
    assert schema["type"] == "object"
    assert schema["required"] == list(schema["properties"])
    assert schema["properties"]["results"] == rows
    number = {"type": "integer", "minimum": 0, "nullable": True}
    assert schema["properties"]["count"] == number
    assert schema["properties"]["count_relation"] == {
        "type": "string",
        "enum": ["exact", "at_least", "approximate", None],
        "nullable": True,
    }
    for name in ("next", "previous"):
        link = schema["properties"][name]
        assert link == {"type": "string", "format": "uri", "nullable": True}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("7", 7),
        ("007", 7),
        ("0" * 5000 + "7", 7),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, 10**18),
        ("9" * 5000, 10**18),
        ("-7", None),
        ("", None),
        ("-", None),
        ("+7", None),
        ("1.0", None),
        ("\u0663", None),
        ("\u00b2", None),
    ],
    ids=lambda value: ascii(value)[:12],
)
def test_a_number_is_ascii_digits(text: str, number: int | None) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("-7", -7),
        ("7", 7),
        ("-0", 0),
        ("-" + "9" * 5000, -(10**18)),
        ("--7", None),
        ("-", None),
        ("", None),
    ],
    ids=lambda value: ascii(value)[:12],
)
def test_a_signed_number_may_be_below_zero(text: str, number: int | None) -> None:
    assert read_number(text, signed=True) == number


@pytest.mark.parametrize(
    ("total", "seen", "shown"),
    [
        (Total(), 3, Total(3, "at_least")),
        (Total(2, "approximate"), 3, Total(3, "approximate")),
        (Total(4, "approximate"), 3, Total(4, "approximate")),
        (Total(2, "at_least"), 3, Total(3, "at_least")),
        (Total(4, "at_least"), 3, Total(4, "at_least")),
        (Total(9, "exact"), 3, Total(9, "exact")),
    ],
)
def test_a_guess_is_not_below_what_was_seen(
    total: Total, seen: int, shown: Total
) -> None:
    assert not_below(total, seen) == shown
