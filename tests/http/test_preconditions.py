import itertools
from collections.abc import Sequence
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_apikit.http.etags import EntityTag, parse_tag_list
from drf_apikit.http.preconditions import (
    Decision,
    Preconditions,
    Selected,
    evaluate,
    find_match,
)
from tests.http.test_dates import FORMS, write
from tests.http.work import count_calls

KIB = 1024
PROCEED, NOT_MODIFIED, FAILED = Decision

READS = ("GET", "HEAD")
WRITES = ("PUT", "PATCH", "DELETE", "POST", "PROPFIND", "get")
CONDITIONAL = (*READS, *WRITES)
UNCONDITIONAL = ("OPTIONS", "TRACE", "CONNECT")
ALL = (*CONDITIONAL, *UNCONDITIONAL)

TAG = EntityTag("v7")
WEAK = EntityTag("v7", weak=True)
TWO = EntityTag("v7.json")
WEAK_TWO = EntityTag("v7.json", weak=True)
THREE = EntityTag("v7.json.abc")

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
CHANGED = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
AT = "Fri, 20 Nov 2026 10:00:00 GMT"
BEFORE = "Fri, 20 Nov 2026 09:59:59 GMT"
AFTER = "Fri, 20 Nov 2026 10:00:01 GMT"


def case(section: str, name: str, *values: object) -> Any:
    """One row of a table, marked with the section that it proves."""
    marks = pytest.mark.compliance("RFC 9110", section)
    return pytest.param(*values, marks=marks, id=f"{section}-{name}")


def decide(
    fields: Preconditions,
    tag: EntityTag | None = TAG,
    modified: datetime | None = None,
    *,
    accept_weak: bool = False,
) -> dict[str, Decision]:
    """What each method is answered."""
    selected = None if tag is None else Selected(tag, modified)
    return {
        method: evaluate(method, fields, selected, now=NOW, accept_weak=accept_weak)
        for method in ALL
    }


def expect(reads: Decision, writes: Decision) -> dict[str, Decision]:
    return {
        **dict.fromkeys(READS, reads),
        **dict.fromkeys(WRITES, writes),
        **dict.fromkeys(UNCONDITIONAL, PROCEED),
    }


@pytest.mark.parametrize(
    ("field", "tag", "holds"),
    [
        case("13.1.1", "star-and-a-representation", "*", TAG, True),
        case("13.1.1", "star-and-a-weak-representation", "*", WEAK, True),
        case("13.1.1", "star-and-nothing", "*", None, False),
        case("13.1.1", "star-in-space", " *\t", TAG, True),
        case("13.1.1", "the-tag", '"v7"', TAG, True),
        case("13.1.1", "the-tag-first", '"v7", "v6"', TAG, True),
        case("13.1.1", "the-tag-last", '"v6","v7"', TAG, True),
        case("13.1.1", "the-tag-in-the-middle", '"v5", "v7", "v6"', TAG, True),
        case("13.1.1", "another-tag", '"v6"', TAG, False),
        case("13.1.1", "other-tags", '"v6", "v8"', TAG, False),
        case("13.1.1", "a-tag-and-nothing", '"v7"', None, False),
        case("13.1.1", "unquoted", "v7", TAG, False),
        case("13.1.1", "single-quotes", "'v7'", TAG, False),
        case("13.1.1", "half-quoted", '"v7', TAG, False),
        case("13.1.1", "empty", "", TAG, False),
        case("13.1.1", "only-commas", ", ,", TAG, False),
        case("13.1.1", "star-and-a-tag", '*, "v7"', TAG, False),
        case("13.1.1", "a-tag-and-star", '"v7", *', TAG, False),
        case("13.1.1", "a-tag-and-junk", '"v7", x', TAG, False),
        case("13.1.1", "malformed-and-nothing", "v7", None, False),
        case("5.6.1", "empty-members", ', "v6",, "v7",', TAG, True),
        case("8.8.3", "empty-opaque", '""', EntityTag(""), True),
        case("8.8.3", "empty-opaque-listed-only", '""', TAG, False),
        case("8.8.3", "comma-inside", '"a,b"', EntityTag("a,b"), True),
        case("8.8.3", "comma-inside-is-no-list", '"v6,v7"', TAG, False),
        case("8.8.3", "obs-text", '"\xe9\xff"', EntityTag("\xe9\xff"), True),
        case("8.8.3", "opaque-is-case-sensitive", '"V7"', TAG, False),
        case("8.8.3", "weak-prefix-is-case-sensitive", 'w/"v7"', TAG, False),
        case("8.8.3.2", "weak-listed", 'W/"v7"', TAG, False),
        case("8.8.3.2", "weak-current", '"v7"', WEAK, False),
        case("8.8.3.2", "both-weak", 'W/"v7"', WEAK, False),
        case("8.8.3.2", "weak-and-strong-listed", 'W/"v7", "v7"', TAG, True),
        case("8.8.3.2", "strong-and-weak-listed", '"v7", W/"v7"', TAG, True),
        case("8.8.3.2", "weak-right-strong-wrong", 'W/"v7", "v6"', TAG, False),
        case("13.1.1", "same-variant", '"v7.json"', TWO, True),
        case("13.1.1", "another-variant", '"v7.xml"', TWO, True),
        case("13.1.1", "state-alone", '"v7"', TWO, True),
        case("13.1.1", "with-a-body", '"v7.json.abc"', TWO, True),
        case("13.1.1", "another-body", '"v7.json.xyz"', THREE, True),
        case("13.1.1", "variant-of-a-state-without-one", '"v7.json"', TAG, True),
        case("13.1.1", "another-state", '"v6.json"', TWO, False),
        case("13.1.1", "longer-state", '"v70.json"', TWO, False),
        case("13.1.1", "shorter-state", '"v.json"', TWO, False),
        case("13.1.1", "variant-as-state", '"json.v7"', TWO, False),
        case("13.1.1", "no-state", '".json"', TWO, False),
        case("8.8.3.2", "weak-listed-with-variant", 'W/"v7.json"', TWO, False),
        case("8.8.3.2", "weak-current-with-variant", '"v7.json"', WEAK_TWO, False),
    ],
)
def test_if_match(field: str, tag: EntityTag | None, holds: bool) -> None:
    answer = PROCEED if holds else FAILED
    decided = decide(Preconditions(if_match=field), tag, CHANGED)
    assert decided == expect(answer, answer)


@pytest.mark.parametrize(
    ("field", "tag", "holds"),
    [
        pytest.param('W/"v7"', TAG, True, id="weak-listed"),
        pytest.param('W/"v7.json"', TWO, True, id="weak-listed-with-variant"),
        pytest.param('W/"v7.json.abc"', TWO, True, id="weak-listed-with-body"),
        pytest.param('W/"v6", W/"v7"', TAG, True, id="weak-and-last"),
        pytest.param('"v7"', TAG, True, id="strong-listed"),
        pytest.param("*", TAG, True, id="star"),
        pytest.param('W/"v6"', TAG, False, id="weak-but-another"),
        pytest.param('W/"v7"', None, False, id="nothing"),
        pytest.param("W/v7", TAG, False, id="malformed"),
        pytest.param('w/"v7"', TAG, False, id="malformed-prefix"),
        # What the server itself calls weak does not say what a writer has seen.
        pytest.param('"v7"', WEAK, False, id="weak-current"),
        pytest.param('W/"v7"', WEAK, False, id="both-weak"),
    ],
)
def test_if_match_where_weak_tags_are_accepted(
    field: str, tag: EntityTag | None, holds: bool
) -> None:
    answer = PROCEED if holds else FAILED
    decided = decide(Preconditions(if_match=field), tag, accept_weak=True)
    assert decided == expect(answer, answer)


@pytest.mark.compliance("RFC 9110", "13.1.1")
def test_weak_tags_are_not_accepted_unless_the_server_says_so() -> None:
    fields, selected = Preconditions(if_match='W/"v7"'), Selected(TAG)
    assert evaluate("PUT", fields, selected, now=NOW) is FAILED


IF_NONE_MATCH = [
    case("13.1.2", "star-and-a-representation", "*", TAG, False),
    case("13.1.2", "star-and-a-weak-representation", "*", WEAK, False),
    case("13.1.2", "star-and-nothing", "*", None, True),
    case("13.1.2", "star-in-space", "\t* ", TAG, False),
    case("13.1.2", "the-tag", '"v7"', TAG, False),
    case("13.1.2", "the-tag-first", '"v7", "v6"', TAG, False),
    case("13.1.2", "the-tag-last", '"v6","v7"', TAG, False),
    case("13.1.2", "the-tag-in-the-middle", '"v5", "v7", "v6"', TAG, False),
    case("13.1.2", "another-tag", '"v6"', TAG, True),
    case("13.1.2", "other-tags", '"v6", "v8"', TAG, True),
    case("13.1.2", "a-tag-and-nothing", '"v7"', None, True),
    case("13.1.2", "unquoted", "v7", TAG, True),
    case("13.1.2", "half-quoted", 'v7"', TAG, True),
    case("13.1.2", "empty", "", TAG, True),
    case("13.1.2", "only-commas", ",", TAG, True),
    case("13.1.2", "a-tag-and-star", '"v7", *', TAG, True),
    case("13.1.2", "star-and-a-tag", '*, "v7"', TAG, True),
    case("13.1.2", "a-tag-and-junk", '"v7"; x', TAG, True),
    case("13.1.2", "malformed-and-nothing", "v7", None, True),
    case("5.6.1", "empty-members", ',,"v6" ,\t,"v7",', TAG, False),
    case("8.8.3", "empty-opaque", '""', EntityTag(""), False),
    case("8.8.3", "empty-opaque-listed-only", '""', TAG, True),
    case("8.8.3", "comma-inside", '"a,b"', EntityTag("a,b"), False),
    case("8.8.3", "comma-inside-is-no-list", '"v6,v7"', TAG, True),
    case("8.8.3", "obs-text", '"\x80\xff"', EntityTag("\x80\xff"), False),
    case("8.8.3", "opaque-is-case-sensitive", '"V7"', TAG, True),
    case("8.8.3", "weak-prefix-is-case-sensitive", 'w/"v7"', TAG, True),
    case("8.8.3.2", "weak-listed", 'W/"v7"', TAG, False),
    case("8.8.3.2", "weak-current", '"v7"', WEAK, False),
    case("8.8.3.2", "both-weak", 'W/"v7"', WEAK, False),
    case("8.8.3.2", "weak-but-another", 'W/"v6"', TAG, True),
    case("8.8.3.3", "same-variant", '"v7.json"', TWO, False),
    case("8.8.3.3", "another-variant", '"v7.xml"', TWO, True),
    case("8.8.3.3", "state-alone", '"v7"', TWO, True),
    case("8.8.3.3", "another-state", '"v6.json"', TWO, True),
    case("8.8.3.3", "variant-of-a-state-without-one", '"v7.json"', TAG, True),
    case("8.8.3.3", "any-of-two-variants", '"v7.xml", "v7.json"', TWO, False),
    case("8.8.1", "body-unknown", '"v7.json.abc"', TWO, False),
    case("8.8.1", "body-unknown-weak-listed", 'W/"v7.json.abc"', TWO, False),
    case("8.8.1", "body-unknown-weak-current", '"v7.json.abc"', WEAK_TWO, False),
    case("8.8.1", "body-unknown-and-last", '"v6", "v7.json.abc"', TWO, False),
    case("8.8.1", "body-of-another-variant", '"v7.xml.abc"', TWO, True),
    case("8.8.1", "body-of-another-state", '"v6.json.abc"', TWO, True),
    case("8.8.1", "body-of-a-longer-variant", '"v7.json5.abc"', TWO, True),
    case("8.8.1", "empty-body", '"v7.json."', TWO, True),
    case("8.8.1", "two-further-parts", '"v7.json.abc.d"', TWO, True),
    case("8.8.1", "longer-variant", '"v7.json5"', TWO, True),
    case("8.8.1", "body-known", '"v7.json.abc"', THREE, False),
    case("8.8.1", "body-known-and-another", '"v7.json.xyz"', THREE, True),
    case("8.8.1", "body-known-not-listed", '"v7.json"', THREE, True),
    case("8.8.1", "body-known-and-more", '"v7.json.abc.d"', THREE, True),
    case("8.8.1", "one-part-and-three", '"v7.json.abc"', TAG, True),
]


@pytest.mark.parametrize(("field", "tag", "holds"), IF_NONE_MATCH)
def test_if_none_match(field: str, tag: EntityTag | None, holds: bool) -> None:
    decided = decide(Preconditions(if_none_match=field), tag, CHANGED)
    if holds:
        assert decided == expect(PROCEED, PROCEED)
    else:
        assert decided == expect(NOT_MODIFIED, FAILED)


@pytest.mark.parametrize(
    ("field", "tag", "found"),
    [
        case("15.4.5", "the-tag", '"v7"', TAG, '"v7"'),
        case("15.4.5", "one-of-them", '"v6", "v7", "v8"', TAG, '"v7"'),
        case("15.4.5", "as-it-is-listed", 'W/"v7"', TAG, 'W/"v7"'),
        case("15.4.5", "weak-current", '"v7"', WEAK, '"v7"'),
        case("15.4.5", "with-its-body", '"v7.json.abc"', TWO, '"v7.json.abc"'),
        case("15.4.5", "weak-body", 'W/"v7.json.abc"', TWO, 'W/"v7.json.abc"'),
        case("15.4.5", "first", '"v7.json.b", "v7.json"', TWO, '"v7.json.b"'),
        case("15.4.5", "first-exact", '"v7.json", "v7.json.b"', TWO, '"v7.json"'),
        case("15.4.5", "this-body", '"v7.json.b", "v7.json.abc"', THREE, str(THREE)),
        case("15.4.5", "no-match", '"v6", "v7.xml"', TWO, None),
        case("15.4.5", "star", "*", TAG, None),
        case("15.4.5", "malformed", "v7", TAG, None),
        case("15.4.5", "malformed-behind-a-match", '"v7", x', TAG, None),
        case("15.4.5", "empty", "", TAG, None),
    ],
)
def test_the_match_that_a_304_names(
    field: str, tag: EntityTag, found: str | None
) -> None:
    match = find_match(field, tag)
    assert (None if match is None else str(match)) == found


#: The modification date, the field, and whether the representation is unmodified
#: since; None where the condition is to be ignored.
MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
DATES: list[tuple[str, datetime | None, str, bool | None]] = [
    ("same-second", CHANGED, AT, True),
    ("a-second-before-the-date", CHANGED, AFTER, True),
    ("a-second-after-the-date", CHANGED, BEFORE, False),
    ("long-before", CHANGED, "Sat, 21 Nov 2026 00:00:00 GMT", True),
    ("long-after", CHANGED, "Sun, 06 Nov 1994 08:49:37 GMT", False),
    ("date-in-the-future", CHANGED, "Fri, 31 Dec 9999 23:59:59 GMT", True),
    ("first-date", CHANGED, "Mon, 01 Jan 0001 00:00:00 GMT", False),
    ("ows-around", CHANGED, f" {AT}\t", True),
    ("another-zone", CHANGED.astimezone(timezone(9 * 60 * 60 * SECOND)), AT, True),
    ("another-zone-after", CHANGED.astimezone(timezone(-SECOND)), BEFORE, False),
    ("rfc850-same", CHANGED, "Friday, 20-Nov-26 10:00:00 GMT", True),
    ("rfc850-before", CHANGED, "Friday, 20-Nov-26 09:59:59 GMT", False),
    ("rfc850-50-years-ahead", CHANGED, "Sunday, 22-Nov-76 12:00:00 GMT", True),
    ("rfc850-50-years-past", CHANGED, "Monday, 22-Nov-76 12:00:01 GMT", False),
    ("asctime-same", CHANGED, "Fri Nov 20 10:00:00 2026", True),
    ("asctime-before", CHANGED, "Fri Nov 20 09:59:59 2026", False),
    ("asctime-padded-day", CHANGED, "Sun Nov  1 10:00:00 2026", False),
    ("other-weekday-same", CHANGED, "Mon, 20 Nov 2026 10:00:00 GMT", True),
    ("other-weekday-before", CHANGED, "Mon, 20 Nov 2026 09:59:59 GMT", False),
    ("no-modification-date", None, AT, None),
    ("no-modification-date-nor-date", None, "yesterday", None),
    ("empty", CHANGED, "", None),
    ("word", CHANGED, "yesterday", None),
    ("number", CHANGED, "1795168800", None),
    ("iso", CHANGED, "2026-11-20T09:59:59Z", None),
    ("star", CHANGED, "*", None),
    ("entity-tag", CHANGED, '"v7"', None),
    ("two-dates", CHANGED, f"{BEFORE}, {BEFORE}", None),
    ("two-asctime-dates", CHANGED, ",".join(2 * ["Fri Nov 20 09:59:59 2026"]), None),
    ("date-and-comma", CHANGED, f"{BEFORE},", None),
    ("lower-case", CHANGED, BEFORE.lower(), None),
    ("no-zone", CHANGED, BEFORE.removesuffix(" GMT"), None),
    ("utc-for-gmt", CHANGED, BEFORE.replace("GMT", "UTC"), None),
    ("no-such-day", CHANGED, "Fri, 31 Nov 2020 09:59:59 GMT", None),
    ("no-such-hour", CHANGED, "Fri, 20 Nov 2020 24:00:00 GMT", None),
    ("no-such-leap-second", CHANGED, "Fri, 20 Nov 2020 09:59:60 GMT", None),
]
#: More than one change may have been made within a second (section 8.8.2.2).
FRACTIONS: list[tuple[str, datetime | None, str, bool | None]] = [
    ("just-after-the-second", CHANGED + MICROSECOND, AT, False),
    ("half-a-second-after", CHANGED + SECOND / 2, AT, False),
    ("just-before-the-next", CHANGED + SECOND - MICROSECOND, AT, False),
    ("fraction-and-the-next-second", CHANGED + MICROSECOND, AFTER, True),
    ("last-fraction-and-the-next", CHANGED + SECOND - MICROSECOND, AFTER, True),
    ("just-before-the-second", CHANGED - MICROSECOND, AT, True),
    ("just-before-and-an-earlier-date", CHANGED - MICROSECOND, BEFORE, False),
    (
        "end-of-time",
        datetime.max.replace(tzinfo=UTC),
        "Fri, 31 Dec 9999 23:59:59 GMT",
        False,
    ),
    (
        "second-before-a-leap-second",
        datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC),
        "Sat, 31 Dec 2016 23:59:60 GMT",
        True,
    ),
    (
        "fraction-before-a-leap-second",
        datetime(2016, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
        "Sat, 31 Dec 2016 23:59:60 GMT",
        False,
    ),
    (
        "second-after-a-leap-second",
        datetime(2017, 1, 1, tzinfo=UTC),
        "Sat, 31 Dec 2016 23:59:60 GMT",
        False,
    ),
]


def dates(section: str) -> list[Any]:
    return [
        *(case(section, *row) for row in DATES),
        *(case("8.8.2.2", *row) for row in FRACTIONS),
    ]


@pytest.mark.parametrize(("modified", "field", "unmodified"), dates("13.1.3"))
def test_if_modified_since(
    modified: datetime | None, field: str, unmodified: bool | None
) -> None:
    decided = decide(Preconditions(if_modified_since=field), TAG, modified)
    assert decided == expect(NOT_MODIFIED if unmodified else PROCEED, PROCEED)


@pytest.mark.parametrize(("modified", "field", "unmodified"), dates("13.1.4"))
def test_if_unmodified_since(
    modified: datetime | None, field: str, unmodified: bool | None
) -> None:
    answer = FAILED if unmodified is False else PROCEED
    decided = decide(Preconditions(if_unmodified_since=field), TAG, modified)
    assert decided == expect(answer, answer)


@pytest.mark.parametrize(
    "fields",
    [
        case("13.1.3", "date", Preconditions(if_modified_since=AT)),
        case("13.1.3", "no-date", Preconditions(if_modified_since="x")),
        # "MUST ignore ... if the resource does not have a modification date
        # available": what does not exist has none.
        case("13.1.4", "date", Preconditions(if_unmodified_since=BEFORE)),
        case("13.1.4", "late-date", Preconditions(if_unmodified_since=AFTER)),
        case("13.1.4", "no-date", Preconditions(if_unmodified_since="x")),
    ],
)
def test_dates_are_ignored_where_nothing_exists(fields: Preconditions) -> None:
    assert decide(fields, None) == expect(PROCEED, PROCEED)


@pytest.mark.parametrize(
    "field", ["if_match", "if_none_match", "if_modified_since", "if_unmodified_since"]
)
@pytest.mark.parametrize("method", UNCONDITIONAL)
@pytest.mark.compliance("RFC 9110", "13.2.1")
def test_methods_without_a_selected_representation(method: str, field: str) -> None:
    refused = {
        "if_match": '"v6"',
        "if_none_match": '"v7"',
        "if_modified_since": AFTER,
        "if_unmodified_since": BEFORE,
    }
    fields = Preconditions(**{field: refused[field]})
    for selected in (Selected(TAG, CHANGED), None):
        assert evaluate(method, fields, selected, now=NOW) is PROCEED
    assert evaluate("GET", fields, Selected(TAG, CHANGED), now=NOW) is not PROCEED


#: What each field says of `TAG` as of `CHANGED`, by its outcome.
FIELDS: dict[str, dict[str, str | None]] = {
    "if_match": {"-": None, "true": '"v7"', "false": '"v6"', "bad": "v7"},
    "if_unmodified_since": {"-": None, "true": AT, "false": BEFORE, "bad": "x"},
    "if_none_match": {"-": None, "true": '"v6"', "false": '"v7"', "bad": "v7"},
    "if_modified_since": {"-": None, "true": BEFORE, "false": AT, "bad": "x"},
}


#: If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since; the answer to
#: a read and to a write.
PRECEDENCE = """
    -      -      -      -      proceed       proceed

    true   -      -      -      proceed       proceed
    false  -      -      -      failed        failed
    bad    -      -      -      failed        failed
    true   false  -      -      proceed       proceed
    true   bad    -      -      proceed       proceed
    false  true   -      -      failed        failed
    bad    true   -      -      failed        failed
    bad    bad    -      -      failed        failed
    false  -      true   -      failed        failed
    false  -      false  -      failed        failed
    false  -      -      false  failed        failed
    true   -      true   -      proceed       proceed
    true   -      false  -      not_modified  failed
    true   -      bad    -      proceed       proceed
    true   -      -      true   proceed       proceed
    true   -      -      false  not_modified  proceed
    true   false  false  -      not_modified  failed
    true   false  -      false  not_modified  proceed
    false  true   false  false  failed        failed

    -      true   -      -      proceed       proceed
    -      false  -      -      failed        failed
    -      bad    -      -      proceed       proceed
    -      true   true   -      proceed       proceed
    -      true   false  -      not_modified  failed
    -      false  true   -      failed        failed
    -      false  false  -      failed        failed
    -      false  -      false  failed        failed
    -      true   -      false  not_modified  proceed
    -      bad    false  -      not_modified  failed
    -      bad    -      false  not_modified  proceed
    -      true   false  true   not_modified  failed

    -      -      true   -      proceed       proceed
    -      -      false  -      not_modified  failed
    -      -      bad    -      proceed       proceed
    -      -      true   false  proceed       proceed
    -      -      bad    false  proceed       proceed
    -      -      false  true   not_modified  failed
    -      -      false  bad    not_modified  failed
    -      -      false  false  not_modified  failed

    -      -      -      true   proceed       proceed
    -      -      -      false  not_modified  proceed
    -      -      -      bad    proceed       proceed

    true   true   true   true   proceed       proceed
    false  false  false  false  failed        failed
    bad    bad    bad    bad    failed        failed
    true   true   false  false  not_modified  failed
    true   true   true   false  proceed       proceed
    -      bad    bad    false  proceed       proceed
    -      bad    bad    bad    proceed       proceed
"""
ROWS = [tuple(line.split()) for line in PRECEDENCE.splitlines() if line]


def fields_of(outcomes: Sequence[str]) -> Preconditions:
    texts = (
        column[word] for column, word in zip(FIELDS.values(), outcomes, strict=True)
    )
    return Preconditions(**dict(zip(FIELDS, texts, strict=True)))


@pytest.mark.parametrize(
    ("outcomes", "read", "written"),
    [case("13.2.2", " ".join(row[:4]), row[:4], *row[4:]) for row in ROWS],
)
def test_precedence(outcomes: tuple[str, ...], read: str, written: str) -> None:
    decided = decide(fields_of(outcomes), TAG, CHANGED)
    assert decided == expect(Decision[read.upper()], Decision[written.upper()])


# The model: section 13.2.2 as rules over facts, the first that fits decides.
# `...` fits every fact.
Fact = str
RULES: list[tuple[Any, Any, Any, Any, Any, Decision]] = [
    # method, If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since
    ("neither", ..., ..., ..., ..., PROCEED),
    (..., "false", ..., ..., ..., FAILED),
    (..., "-", "false", ..., ..., FAILED),
    ("read", ..., ..., "false", ..., NOT_MODIFIED),
    ("write", ..., ..., "false", ..., FAILED),
    ("read", ..., ..., "-", "false", NOT_MODIFIED),
    (..., ..., ..., ..., ..., PROCEED),
]


def by_the_model(method: str, *facts: Fact) -> Decision:
    kind = "read" if method in READS else "write"
    kind = "neither" if method in UNCONDITIONAL else kind
    return next(
        decision
        for *rule, decision in RULES
        if all(r in {..., f} for r, f in zip(rule, (kind, *facts), strict=True))
    )


def test_every_combination_is_decided_as_by_the_model() -> None:
    # What a field says that does not parse.
    bad = ("false", "ignored", "true", "ignored")
    for outcomes in itertools.product(("-", "true", "false", "bad"), repeat=4):
        facts = [b if o == "bad" else o for o, b in zip(outcomes, bad, strict=True)]
        assert decide(fields_of(outcomes), TAG, CHANGED) == {
            method: by_the_model(method, *facts) for method in ALL
        }


class Parts(NamedTuple):
    """A tag by its parts, as the model sees it."""

    parts: tuple[str, ...]
    weak: bool

    def __str__(self) -> str:
        return f'{"W/" if self.weak else ""}"{".".join(self.parts)}"'


class Listed(NamedTuple):
    """A field of tags: its text and what it means, or None if it is malformed."""

    text: str
    members: list[Parts] | str | None


class Dated(NamedTuple):
    """A field with a date: seconds from `CHANGED`, None if it is malformed."""

    text: str
    offset: int | None


parts = st.builds(
    Parts,
    st.sampled_from(
        [
            *[("v7",), ("v6",), ("",), ("v7", ""), ("", "a"), ("v7", "a"), ("v6", "a")],
            *[("v7", "b"), ("v7", "a", "x"), ("v7", "a", "y"), ("v7", "b", "x")],
            *[("v7", "a", ""), ("v7", "a", "x", "z"), ("v7", "", "x")],
        ]
    ),
    st.booleans(),
)
members = st.lists(parts, min_size=1, max_size=3)
listed = st.none() | st.one_of(
    st.builds(Listed, st.just("*"), st.just("*")),
    members.map(lambda each: Listed(", ".join(map(str, each)), each)),
    members.map(lambda each: Listed(f"*, {each[0]}", None)),
    members.map(lambda each: Listed(" ".join([*map(str, each), "x"]), None)),
    st.sampled_from(["", ",", "v7", '"v7']).map(lambda text: Listed(text, None)),
)
dated = st.none() | st.one_of(
    st.builds(
        lambda offset, form: Dated(write(CHANGED + offset * SECOND, form), offset),
        st.integers(-2, 2) | st.integers(-(10**6), 10**6),
        st.sampled_from(FORMS),
    ),
    st.sampled_from(["", "x", f"{AT}, {AT}", AT.lower()]).map(
        lambda text: Dated(text, None)
    ),
)
near = st.integers(-2, 2).flatmap(
    lambda second: st.integers(-1, 1).map(lambda off: second * 10**6 + off)
)
#: The current representation: its tag, and its date in microseconds from `CHANGED`.
current = st.none() | st.tuples(parts, st.none() | near | st.integers(-(10**9), 10**9))
Current = tuple[Parts, int | None] | None


def same_bytes(asked: Parts, tag: Parts) -> bool:
    if len(tag.parts) == 2 and len(asked.parts) == 3:
        return asked.parts[:2] == tag.parts and asked.parts[2] != ""
    return asked.parts == tag.parts


def same_state(asked: Parts, tag: Parts, accept_weak: bool) -> bool:
    strong = not tag.weak and (accept_weak or not asked.weak)
    return strong and asked.parts[0] == tag.parts[0]


def match_fact(field: Listed | None, now: Current, accept_weak: bool) -> Fact:
    if field is None:
        return "-"
    if field.members is None or now is None:
        return "false"
    if isinstance(field.members, str):
        return "true"
    held = [same_state(member, now[0], accept_weak) for member in field.members]
    return "true" if True in held else "false"


def none_match_fact(field: Listed | None, now: Current) -> Fact:
    if field is None:
        return "-"
    if field.members is None or now is None:
        return "true"
    if isinstance(field.members, str):
        return "false"
    held = [same_bytes(member, now[0]) for member in field.members]
    return "false" if True in held else "true"


def date_fact(field: Dated | None, now: Current, unmodified: Fact) -> Fact:
    if field is None:
        return "-"
    if field.offset is None or now is None or now[1] is None:
        return "ignored"
    rounded_up = -(-now[1] // 10**6)
    modified = {"true": "false", "false": "true"}[unmodified]
    return modified if rounded_up > field.offset else unmodified


@given(st.sampled_from(ALL), listed, dated, listed, dated, current, st.booleans())
def test_any_request_is_decided_as_by_the_model(
    method: str,
    match: Listed | None,
    unmodified: Dated | None,
    none_match: Listed | None,
    modified: Dated | None,
    now: Current,
    accept_weak: bool,
) -> None:
    decision = evaluate(
        method,
        Preconditions(
            if_match=match and match.text,
            if_none_match=none_match and none_match.text,
            if_modified_since=modified and modified.text,
            if_unmodified_since=unmodified and unmodified.text,
        ),
        selected_of(now),
        now=NOW,
        accept_weak=accept_weak,
    )
    assert decision is by_the_model(
        method,
        match_fact(match, now, accept_weak),
        date_fact(unmodified, now, unmodified="true"),
        none_match_fact(none_match, now),
        date_fact(modified, now, unmodified="false"),
    )


def selected_of(now: Current) -> Selected | None:
    if now is None:
        return None
    tag, offset = now
    modified = None if offset is None else CHANGED + offset * MICROSECOND
    return Selected(EntityTag(".".join(tag.parts), weak=tag.weak), modified)


@given(listed.filter(bool), parts)
def test_a_304_names_a_match_wherever_tags_decided(field: Listed, tag: Parts) -> None:
    own = EntityTag(".".join(tag.parts), weak=tag.weak)
    asked = Preconditions(if_none_match=field.text)
    decision = evaluate("GET", asked, Selected(own), now=NOW)
    match = find_match(field.text, own)
    if match is None:
        assert decision is PROCEED or field.text == "*"
    else:
        assert decision is NOT_MODIFIED
        parsed = parse_tag_list(field.text)
        assert isinstance(parsed, tuple)
        assert match in parsed


texts = st.none() | st.text() | st.text(alphabet='W/"*v7., \t\x80\x00GMT')


@given(
    st.sampled_from(ALL) | st.text(),
    st.builds(Preconditions, texts, texts, texts, texts),
    current,
    st.booleans(),
)
def test_any_text_is_decided(
    method: str, fields: Preconditions, now: Current, accept_weak: bool
) -> None:
    selected = selected_of(now)
    decision = evaluate(method, fields, selected, now=NOW, accept_weak=accept_weak)
    assert isinstance(decision, Decision)
    if selected is not None:
        find_match(fields.if_none_match or "", selected.tag)


@pytest.mark.parametrize("tag", [TAG, TWO], ids=str)
@pytest.mark.parametrize(
    "unit",
    ['"a",', '"v7.json.",', 'W/"v7.b.c",', '"v6.......",', ',"', "Fri, ", '"", \t'],
    ids=repr,
)
def test_hostile_fields_cost_linear_work(unit: str, tag: EntityTag) -> None:
    def work(size: int) -> int:
        field = unit * (size // len(unit))
        fields = Preconditions(f'"v7",{field}', field, field, field)
        late = Preconditions(None, field, field, field)
        selected = Selected(tag, CHANGED)
        return count_calls(
            lambda: (
                evaluate("GET", fields, selected, now=NOW, accept_weak=True),
                evaluate("PUT", late, selected, now=NOW),
                find_match(field, tag),
            )
        )

    small, large = work(4 * KIB), work(16 * KIB)
    assert large <= 4.2 * small
    # At most a few calls for each octet of the five fields that are read.
    assert large <= 4 * 5 * 16 * KIB


@pytest.mark.parametrize(
    ("value", "name"),
    [(Selected(TAG), "tag"), (Preconditions(), "if_match")],
    ids=["selected", "preconditions"],
)
def test_what_is_judged_cannot_be_changed(value: object, name: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, None)
    assert not hasattr(value, "__dict__")


def test_a_hostile_list_is_still_decided() -> None:
    field, selected = '"a",' * (64 * KIB // 4), Selected(TWO)
    asked = Preconditions(if_none_match=f"{field}{TWO}")
    assert evaluate("GET", asked, selected, now=NOW) is NOT_MODIFIED
    required = Preconditions(if_match=f"{field}{TWO}")
    assert evaluate("PUT", required, selected, now=NOW) is PROCEED
    assert evaluate("PUT", Preconditions(field), selected, now=NOW) is FAILED


@pytest.mark.compliance("RFC 9110", "8.8.3.2")
@pytest.mark.parametrize(
    ("field", "same"), [('"1.2"', True), ('"1.3"', False), ('"1.2.3"', False)]
)
def test_no_part_of_a_foreign_tag_means_anything(field: str, same: bool) -> None:
    foreign = Selected(EntityTag("1.2"), is_foreign=True)
    written = evaluate("PUT", Preconditions(if_match=field), foreign, now=NOW)
    assert written is (PROCEED if same else FAILED)
    shown = evaluate("GET", Preconditions(if_none_match=field), foreign, now=NOW)
    assert shown is (NOT_MODIFIED if same else PROCEED)
