import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drf_apikit.http.dates import format_http_date, parse_http_date
from tests.http.work import count_calls

KIB = 1024
NOW = datetime(2026, 11, 22, 12, 30, 45, tzinfo=UTC)
RFC_DATE = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]
FORMS = ("imf", "rfc850", "asctime")

proves_dates = pytest.mark.compliance("RFC 9110", "5.6.7")


def at(*parts: int) -> datetime:
    year, month, day, *rest = parts
    hour, minute, second = rest or (0, 0, 0)
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def write(moment: datetime, form: str) -> str:
    day, month = DAYS[moment.weekday()], MONTHS[moment.month - 1]
    clock = f"{moment.hour:02}:{moment.minute:02}:{moment.second:02}"
    if form == "imf":
        return f"{day[:3]}, {moment.day:02} {month} {moment.year:04} {clock} GMT"
    if form == "rfc850":
        return f"{day}, {moment.day:02}-{month}-{moment.year % 100:02} {clock} GMT"
    return f"{day[:3]} {month} {moment.day:2} {clock} {moment.year:04}"


@proves_dates
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT", RFC_DATE, id="imf-fixdate"),
        pytest.param("Sunday, 06-Nov-94 08:49:37 GMT", RFC_DATE, id="rfc850"),
        pytest.param("Sun Nov  6 08:49:37 1994", RFC_DATE, id="asctime"),
        pytest.param("Sun Nov 06 08:49:37 1994", RFC_DATE, id="asctime-two-digits"),
        pytest.param(
            "Wed Nov 16 08:49:37 1994", at(1994, 11, 16, 8, 49, 37), id="asctime-16th"
        ),
        pytest.param(" \tSun, 06 Nov 1994 08:49:37 GMT\t ", RFC_DATE, id="ows-around"),
        pytest.param(" Sun Nov  6 08:49:37 1994 ", RFC_DATE, id="asctime-ows-around"),
        pytest.param("Thu, 29 Feb 2024 00:00:00 GMT", at(2024, 2, 29), id="leap-day"),
        pytest.param("Tue, 29 Feb 2000 00:00:00 GMT", at(2000, 2, 29), id="leap-2000"),
        pytest.param("Mon, 01 Jan 0001 00:00:00 GMT", at(1, 1, 1), id="first-year"),
        pytest.param(
            "Fri, 31 Dec 9999 23:59:59 GMT", at(9999, 12, 31, 23, 59, 59), id="end"
        ),
        pytest.param(
            "Fri, 31 Dec 9999 23:59:60 GMT",
            at(9999, 12, 31, 23, 59, 59),
            id="last",
        ),
        pytest.param(
            "Sat, 31 Dec 2016 23:59:60 GMT",
            at(2016, 12, 31, 23, 59, 59),
            id="leap-second",
        ),
        pytest.param(
            "Saturday, 31-Dec-16 23:59:60 GMT",
            at(2016, 12, 31, 23, 59, 59),
            id="leap-second-rfc850",
        ),
        pytest.param(
            "Sat Dec 31 23:59:60 2016",
            at(2016, 12, 31, 23, 59, 59),
            id="leap-second-asctime",
        ),
        pytest.param("Mon, 06 Nov 1994 08:49:37 GMT", RFC_DATE, id="other-weekday"),
        pytest.param("Friday, 06-Nov-94 08:49:37 GMT", RFC_DATE, id="other-day-rfc850"),
        pytest.param("Sat Nov  6 08:49:37 1994", RFC_DATE, id="other-day-asctime"),
    ],
)
def test_a_date_is_read(value: str, expected: datetime) -> None:
    parsed = parse_http_date(value, now=NOW)
    assert parsed == expected
    assert parsed.tzinfo is UTC


@proves_dates
@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "0",
        "784111777",
        "1994-11-06T08:49:37Z",
        "yesterday",
        # lists, and a date with something beside it
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994, Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 GMT,",
        ",Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT; length=4",
        '"Sun, 06 Nov 1994 08:49:37 GMT"',
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "\nSun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT\xa0",
        # case
        "sun, 06 Nov 1994 08:49:37 GMT",
        "SUN, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 gmt",
        "sunday, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-NOV-94 08:49:37 GMT",
        "Sun nov  6 08:49:37 1994",
        # zones
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT+1",
        "Sunday, 06-Nov-94 08:49:37 PST",
        "Sun Nov  6 08:49:37 1994 GMT",
        # spaces and separators
        "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun,  06 Nov 1994 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun, 06  Nov 1994 08:49:37 GMT",
        "Sun, 06\tNov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994  08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06 Nov 1994T08:49:37 GMT",
        "Sunday, 06 Nov 94 08:49:37 GMT",
        "Sunday, 06-Nov 94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov   6 08:49:37 1994",
        "Sun Nov\t 6 08:49:37 1994",
        "Sun, Nov  6 08:49:37 1994",
        # names
        "06 Nov 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Satday, 06-Nov-94 08:49:37 GMT",
        "Sunday Nov  6 08:49:37 1994",
        "Sun, 06 Xyz 1994 08:49:37 GMT",
        "Sun, 06 November 1994 08:49:37 GMT",
        "Sun, 06 11 1994 08:49:37 GMT",
        # digits
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun,  6 Nov 1994 08:49:37 GMT",
        "Sun, 006 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 01994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov  6 08:49:37 94",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 06 Nov 1994 08:49:37.5 GMT",
        "Sun, 06 Nov 1994 08:49:37,5 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sun, 0\u0666 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov \uff11\uff19\uff19\uff14 08:49:37 GMT",
        "Sun, 06 Nov 1994 0\u0668:49:37 GMT",
        # no such moment
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun Nov  0 08:49:37 1994",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 32 Dec 1994 08:49:37 GMT",
        "Sun, 30 Feb 2024 08:49:37 GMT",
        "Sun, 29 Feb 2023 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sunday, 29-Feb-23 08:49:37 GMT",
        "Sun Feb 29 08:49:37 2023",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 30:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        # a leap second ends a day
        "Sun, 06 Nov 1994 08:49:60 GMT",
        "Sat, 31 Dec 2016 23:58:60 GMT",
        "Sat, 31 Dec 2016 22:59:60 GMT",
        "Sat, 31 Dec 2016 23:59:61 GMT",
    ],
    ids=ascii,
)
def test_what_is_no_date_is_refused(value: str) -> None:
    assert parse_http_date(value, now=NOW) is None


@proves_dates
@pytest.mark.parametrize(
    ("value", "year"),
    [
        pytest.param("Sunday, 22-Nov-26 12:30:45 GMT", 2026, id="this-moment"),
        pytest.param("Sunday, 22-Nov-26 12:30:46 GMT", 2026, id="the-next-second"),
        pytest.param("Sunday, 01-Jan-00 00:00:00 GMT", 2000, id="00"),
        pytest.param("Sunday, 31-Dec-99 00:00:00 GMT", 1999, id="99"),
        pytest.param("Sunday, 31-Dec-75 00:00:00 GMT", 2075, id="49-years-ahead"),
        pytest.param("Sunday, 01-Jan-77 00:00:00 GMT", 1977, id="51-years-ahead"),
        pytest.param("Sunday, 22-Nov-76 12:30:44 GMT", 2076, id="second-less"),
        pytest.param("Sunday, 22-Nov-76 12:30:45 GMT", 2076, id="50-years-ahead"),
        pytest.param("Sunday, 22-Nov-76 12:30:46 GMT", 1976, id="second-more"),
        pytest.param("Sunday, 22-Nov-76 12:31:00 GMT", 1976, id="minute-more"),
        pytest.param("Sunday, 22-Nov-76 13:00:00 GMT", 1976, id="hour-more"),
        pytest.param("Sunday, 23-Nov-76 00:00:00 GMT", 1976, id="day-more"),
        pytest.param("Sunday, 21-Nov-76 23:59:59 GMT", 2076, id="day-less"),
        pytest.param("Sunday, 01-Dec-76 00:00:00 GMT", 1976, id="month-more"),
        pytest.param("Sunday, 31-Oct-76 23:59:59 GMT", 2076, id="month-less"),
    ],
)
def test_a_year_of_two_digits_is_at_most_50_years_ahead(value: str, year: int) -> None:
    for fraction in (0, 1, 999_999):
        parsed = parse_http_date(value, now=NOW.replace(microsecond=fraction))
        assert parsed is not None
        assert parsed.year == year


@proves_dates
def test_the_50_years_are_counted_from_now_in_utc() -> None:
    value = "Sunday, 22-Nov-76 12:30:46 GMT"
    east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
    for zone in (UTC, east, west):
        before = parse_http_date(value, now=NOW.astimezone(zone))
        assert before == at(1976, 11, 22, 12, 30, 46)
        soon = (NOW + timedelta(seconds=1)).astimezone(zone)
        assert parse_http_date(value, now=soon) == at(2076, 11, 22, 12, 30, 46)


@proves_dates
@pytest.mark.parametrize(
    ("now", "value", "expected"),
    [
        pytest.param(
            at(2095, 6, 1), "Sunday, 01-Jan-10 00:00:00 GMT", at(2110, 1, 1), id="ahead"
        ),
        pytest.param(
            at(2095, 6, 1), "Sunday, 01-Jan-46 00:00:00 GMT", at(2046, 1, 1), id="past"
        ),
        pytest.param(
            at(2050, 2, 28),
            "Sunday, 29-Feb-00 00:00:00 GMT",
            at(2000, 2, 29),
            id="2000",
        ),
        pytest.param(
            at(2050, 3, 1),
            "Sunday, 29-Feb-00 00:00:00 GMT",
            None,
            id="not-2100",
        ),
        pytest.param(
            at(9990, 1, 1), "Sunday, 01-Jan-10 00:00:00 GMT", None, id="after-9999"
        ),
        pytest.param(
            at(9, 1, 1), "Sunday, 01-Jan-60 00:00:00 GMT", None, id="before-year-1"
        ),
    ],
)
def test_the_century_of_two_digits_at_other_times(
    now: datetime, value: str, expected: datetime | None
) -> None:
    assert parse_http_date(value, now=now) == expected


@proves_dates
@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize("form", FORMS)
def test_each_month_and_each_day_of_the_week(form: str, month: int) -> None:
    for day in range(1, 8):
        moment = at(2021, month, day)
        assert parse_http_date(write(moment, form), now=NOW) == moment


@proves_dates
@pytest.mark.parametrize("form", FORMS)
@given(
    st.datetimes(
        at(1977, 1, 1).replace(tzinfo=None),
        at(2076, 11, 22).replace(tzinfo=None),
        timezones=st.just(UTC),
    )
)
def test_what_is_written_is_read_back(form: str, moment: datetime) -> None:
    whole = moment.replace(microsecond=0)
    assert parse_http_date(write(whole, form), now=NOW) == whole


@proves_dates
@given(st.datetimes(timezones=st.just(UTC)))
@example(datetime.min.replace(tzinfo=UTC))
@example(datetime.max.replace(tzinfo=UTC))
def test_a_moment_is_written_without_its_fraction(moment: datetime) -> None:
    text = format_http_date(moment)
    whole = moment.replace(microsecond=0)
    assert text == write(whole, "imf")
    assert parse_http_date(text, now=NOW) == whole


@proves_dates
@pytest.mark.parametrize(
    ("moment", "text"),
    [
        pytest.param(RFC_DATE, "Sun, 06 Nov 1994 08:49:37 GMT", id="whole"),
        pytest.param(
            RFC_DATE.replace(microsecond=999_999),
            "Sun, 06 Nov 1994 08:49:37 GMT",
            id="fraction",
        ),
        pytest.param(
            RFC_DATE.astimezone(timezone(timedelta(hours=-9))),
            "Sun, 06 Nov 1994 08:49:37 GMT",
            id="elsewhere",
        ),
        pytest.param(at(1, 1, 1), "Mon, 01 Jan 0001 00:00:00 GMT", id="first-year"),
    ],
)
def test_a_moment_is_written_as_imf_fixdate(moment: datetime, text: str) -> None:
    assert format_http_date(moment) == text


@pytest.fixture
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the clock of this machine be one of another place."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_elsewhere")
def test_a_moment_is_written_the_same_wherever_the_machine_is() -> None:
    assert format_http_date(RFC_DATE) == "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.usefixtures("_elsewhere")
def test_fifty_years_ahead_are_counted_in_utc_wherever_the_machine_is() -> None:
    # 12:30:45 in UTC, 21:30:45 on this clock.
    for text, year in (("12:00:00", 2076), ("13:00:00", 1976)):
        parsed = parse_http_date(f"Sunday, 22-Nov-76 {text} GMT", now=NOW)
        assert parsed is not None
        assert parsed.year == year


def test_a_moment_of_no_zone_is_not_written() -> None:
    with pytest.raises(ValueError, match="not an aware datetime"):
        format_http_date(RFC_DATE.replace(tzinfo=None))


pieces = st.sampled_from(
    [
        *("Sun", "Sunday", "Nov", "Feb", "1994", "94", "06", "6", "31", "00", "GMT"),
        *("23:59:60", "08:49:37", ", ", " ", "-", ":", "\t", ",", "\x00", "\u0666"),
    ]
)


@given(st.text() | st.lists(pieces).map("".join), st.datetimes(timezones=st.just(UTC)))
@example("Sunday, 29-Feb-00 23:59:60 GMT", datetime.max.replace(tzinfo=UTC))
@example("Sunday, 29-Feb-00 23:59:60 GMT", datetime.min.replace(tzinfo=UTC))
def test_any_text_is_read_or_refused(text: str, now: datetime) -> None:
    parsed = parse_http_date(text, now=now)
    if parsed is not None:
        assert parse_http_date(format_http_date(parsed), now=now) == parsed


@pytest.mark.parametrize(
    "unit",
    [" ", "\t", "0", ",", "Sun, ", "Sunday, ", "Sun, 06 Nov 1994 08:49:37 GMT, "],
    ids=repr,
)
def test_hostile_values_cost_no_more_than_others(unit: str) -> None:
    def work(size: int) -> int:
        value = unit * (size // len(unit)) + "x"
        return count_calls(lambda: parse_http_date(value, now=NOW))

    assert work(64 * KIB) == work(KIB) <= 16
