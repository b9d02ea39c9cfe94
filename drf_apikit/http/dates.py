"""Dates of HTTP fields: the three forms of RFC 9110 section 5.6.7."""

import re
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Final

__all__ = ["format_http_date", "parse_http_date"]

_OWS: Final = " \t"
_MONTHS: Final = {
    "Jan": 1,
    "Feb": 2,
    "Mar": 3,
    "Apr": 4,
    "May": 5,
    "Jun": 6,
    "Jul": 7,
    "Aug": 8,
    "Sep": 9,
    "Oct": 10,
    "Nov": 11,
    "Dec": 12,
}
_DAY_NAME: Final = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_DAY_NAME_L: Final = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH: Final = f"(?P<month>{'|'.join(_MONTHS)})"
_DAY: Final = "(?P<day>[0-9]{2})"
_YEAR: Final = "(?P<year>[0-9]{4})"
# A leap second is always the last of a day of UTC.
_TIME: Final = "(?P<time>(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]|23:59:60)"

_FORMS: Final = (
    # IMF-fixdate
    re.compile(f"{_DAY_NAME}, {_DAY} {_MONTH} {_YEAR} {_TIME} GMT"),
    # rfc850-date
    re.compile(f"{_DAY_NAME_L}, {_DAY}-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    # asctime-date
    re.compile(f"{_DAY_NAME} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} {_YEAR}"),
)


def parse_http_date(value: str, *, now: datetime) -> datetime | None:
    """Read a field's date; None where it is none.

    `now`, an aware datetime, says which century a year of two digits is in:
    the latest that is not more than 50 years ahead.

    What two parsers could read differently is read so that a condition on it
    cannot pass by mistake. A name of a day that is not that date's is
    tolerated: the grammar does not tie them together, and to ignore the date
    would leave a write with If-Unmodified-Since unprotected. A leap second,
    23:59:60, is read as the second before it, since an earlier date makes more
    count as modified.
    """
    text = value.strip(_OWS)
    for form in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            return _moment(found, now)
    return None


def format_http_date(moment: datetime) -> str:
    """Write an aware datetime as IMF-fixdate; a fraction of a second is cut off.

    Raises:
        ValueError: `moment` does not say which timezone it is in.

    """
    if moment.utcoffset() is None:
        raise ValueError(f"not an aware datetime: {moment!r}")
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _moment(found: re.Match[str], now: datetime) -> datetime | None:
    """Put the parts together; None where there is no such day."""
    clock = time.fromisoformat(found["time"].replace(":60", ":59"))
    month, day = _MONTHS[found["month"]], int(found["day"])
    year = int(found["year"])
    if len(found["year"]) == 2:
        year = _full_year(year, (month, day, clock), now.astimezone(UTC))
    try:
        return datetime.combine(date(year, month, day), clock, UTC)
    except ValueError:
        return None


def _full_year(last_two: int, rest: tuple[int, int, time], now: datetime) -> int:
    """Find the latest such year whose date is at most 50 years after `now`."""
    latest = now.year + 50
    year = latest - (latest - last_two) % 100
    if year == latest and rest > (now.month, now.day, now.time()):
        return year - 100
    return year
