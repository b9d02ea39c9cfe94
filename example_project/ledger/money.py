"""Amounts as people write them, and as the books hold them: in minor units."""

import re
from decimal import Decimal
from typing import Final

__all__ = ["decimals_of", "in_major_units", "in_minor_units"]

# ISO 4217; two digits is what all others have.
DECIMALS: Final = {
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0
    ),
    **dict.fromkeys(("UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
}
USUAL: Final = 2
MOST_DIGITS: Final = 16
WRITTEN: Final = re.compile(r"([0-9]+)(?:([.,])([0-9]+))?")
#: So many digits are between two commas of a number with thousands.
GROUP: Final = 3


def decimals_of(currency: str) -> int:
    """Give the number of digits behind the point."""
    return DECIMALS.get(currency, USUAL)


def in_major_units(amount: int, currency: str) -> str:
    """Write 1050 in EUR as `10.50`, with commas between thousands."""
    places = decimals_of(currency)
    return f"{Decimal(amount).scaleb(-places):,.{places}f}"


def in_minor_units(text: str, currency: str) -> int:
    """Read `10.50` or `10,50` in EUR as 1050.

    Nothing stands between thousands: `1,000` could be one or a thousand. Where a
    fraction may have three digits, these are therefore behind a point alone.

    Raises:
        ValueError: with what is wrong, for a person.

    """
    places = decimals_of(currency)
    written = WRITTEN.fullmatch(text.strip())
    if written is None:
        raise ValueError(f"Write digits with one point at most: {_example(places)}.")
    whole, fraction = written[1].lstrip("0"), written[3] or ""
    if len(fraction) > places or len(whole) + places > MOST_DIGITS:
        raise ValueError(_too_long(currency, places, fraction))
    if written[2] == "," and len(fraction) == GROUP:
        raise ValueError(_ambiguous(written[1], fraction))
    amount = int((whole or "0") + fraction.ljust(places, "0"))
    if not amount:
        raise ValueError("The amount must be above zero.")
    return amount


def _example(places: int) -> str:
    return f"1250.{'50'.ljust(places, '0')[:places]}" if places else "1250"


def _ambiguous(whole: str, fraction: str) -> str:
    return (
        f"{whole},{fraction} could be two amounts. Write {whole}.{fraction}, or"
        f" {whole}{fraction} if the comma stands between thousands."
    )


def _too_long(currency: str, places: int, fraction: str) -> str:
    if len(fraction) <= places:
        return "The amount is too large."
    if not places:
        return f"{currency} has no digits behind the point."
    return (
        f"Write at most {places} digits behind the point, and nothing between"
        f" thousands: {_example(places)}."
    )
