"""Amounts as people write them."""

import pytest

from ledger.money import in_major_units, in_minor_units


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("10.50", "EUR", 1050),
        (" 10,5 ", "EUR", 1050),
        ("10", "EUR", 1000),
        ("0.01", "USD", 1),
        ("007", "EUR", 700),
        ("1250", "JPY", 1250),
        ("1.234", "KWD", 1234),
        ("1,23", "KWD", 1230),
        ("1,2345", "CLF", 12345),
        ("0.0001", "CLF", 1),
        ("90071992547409.91", "EUR", 2**53 - 1),
    ],
)
def test_what_people_write_is_read(text: str, currency: str, amount: int) -> None:
    assert in_minor_units(text, currency) == amount


@pytest.mark.parametrize(
    ("text", "currency", "says"),
    [
        ("1,000", "EUR", "at most 2 digits behind the point"),
        ("1,250", "KWD", "Write 1.250, or 1250 if the comma stands between"),
        ("0,250", "KWD", "could be two amounts"),
        ("1,250", "CLF", "could be two amounts"),
        ("1.234.567", "EUR", "one point at most: 1250.50"),
        ("1.5", "JPY", "JPY has no digits behind the point"),
        ("x", "JPY", "at most: 1250."),
        ("", "EUR", "Write digits"),
        ("-5", "EUR", "Write digits"),
        ("1e5", "EUR", "Write digits"),
        ("٣", "EUR", "Write digits"),
        ("0", "EUR", "above zero"),
        ("0.00", "EUR", "above zero"),
        ("1" * 20, "EUR", "too large"),
    ],
)
def test_what_could_be_something_else_is_refused(
    text: str, currency: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        in_minor_units(text, currency)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(1050, "EUR", "10.50"), (123456789, "JPY", "123,456,789"), (1, "KWD", "0.001")],
)
def test_amounts_are_shown_in_major_units(
    amount: int, currency: str, text: str
) -> None:
    assert in_major_units(amount, currency) == text
