from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from django.core.signing import Signer
from hypothesis import given
from hypothesis import strategies as st

from drf_apikit.keyset import (
    Cursor,
    CursorError,
    Total,
    decode,
    encode,
    resolve_ordering,
)
from tests.app.models import Article, Author

if TYPE_CHECKING:
    from pytest_django import Settings

SCOPE = "/articles/?"
BY_SCORE = resolve_ordering(Article.objects.all(), ["-score"])
POSITION = (7, 41)
HERE = Cursor(POSITION)
#: What one wrong character is replaced by, besides what base64 and the separator use.
ALPHABET = "ABYZabyz0189-_.:=+/ ~\0é"


def signed(payload: Any) -> str:
    """Sign any payload as the cursors are signed."""
    return Signer(salt="drf_apikit.keyset.cursor", sep=".").sign_object(payload)


def payload_of(text: str) -> Any:
    return Signer(salt="drf_apikit.keyset.cursor", sep=".").unsign_object(text)


def refused(text: str) -> None:
    with pytest.raises(CursorError) as caught:
        decode(text, BY_SCORE, SCOPE)
    assert not caught.value.foreign


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False)
    | st.decimals(allow_nan=False)
    | st.datetimes(timezones=st.none() | st.just(UTC) | st.timezones())
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.binary()
)
TOTALS = st.none() | st.builds(
    Total,
    st.none() | st.integers(min_value=0),
    st.sampled_from([None, "exact", "at_least", "approximate"]),
)


@given(
    position=st.none() | st.lists(SCALARS, max_size=3).map(tuple),
    flags=st.tuples(st.booleans(), st.booleans()),
    total=TOTALS,
    witness=st.text(),
)
def test_a_cursor_reads_back_as_it_was_written(
    position: tuple[Any, ...] | None,
    flags: tuple[bool, bool],
    total: Total | None,
    witness: str,
) -> None:
    reverse, inclusive = flags
    cursor = Cursor(
        position,
        reverse=reverse,
        inclusive=inclusive,
        total=total,
        witness=witness if total else "",
    )
    read = decode(encode(cursor, BY_SCORE, SCOPE), BY_SCORE, SCOPE)
    assert read == cursor
    assert list(map(type, read.position or ())) == list(map(type, position or ()))


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 11, 22, 6, 21, 0, 123456, tzinfo=UTC),
        datetime(2026, 11, 22, 6, 21, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        datetime.max.replace(tzinfo=UTC),
        datetime.fromisoformat("2026-11-22T06:21:00.000001"),
        date.min,
        time(23, 59, 59, 999999),
        timedelta(days=-3, microseconds=1),
        timedelta.max,
        Decimal("12345678901234567890.123400"),
        Decimal("-0"),
        0.1 + 0.2,
        -0.0,
        5e-324,
        float("inf"),
        UUID(int=2**128 - 1),
        2**70,
        True,
        b"",
        b"\0\xff",
        "tab\t nul\0 'quote' \"double\" | , . : ; & = % [1, null] é 日本 🦆",
        "",
    ],
    ids=repr,
)
def test_no_value_loses_anything(value: object) -> None:
    text = encode(Cursor((value, None)), BY_SCORE, SCOPE)
    (read, _) = decode(text, BY_SCORE, SCOPE).position or ()
    assert (type(read), repr(read)) == (type(value), repr(value))


def test_a_text_is_safe_in_a_query_string() -> None:
    text = encode(Cursor(("&=%#?+ é", 1)), BY_SCORE, SCOPE)
    assert set(text) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    )


def test_a_long_text_fits_a_url() -> None:
    text = encode(Cursor(("🦆" * 255, 2**63 - 1)), BY_SCORE, SCOPE)
    assert len(text) < 2000
    assert decode(text, BY_SCORE, SCOPE).position == ("🦆" * 255, 2**63 - 1)


def test_a_subclass_is_written_as_what_it_is() -> None:
    class Moment(datetime):
        pass

    moment = Moment(2026, 11, 22, 6, 21, tzinfo=UTC)
    text = encode(Cursor((moment, 1)), BY_SCORE, SCOPE)
    assert decode(text, BY_SCORE, SCOPE).position == (moment, 1)


@pytest.mark.parametrize(
    "value", [["list"], {"a": 1}, 1j, ("f", "1"), bytearray(b"a")], ids=repr
)
def test_a_value_without_lossless_text_is_no_position(value: object) -> None:
    with pytest.raises(TypeError, match="no cursor can hold"):
        encode(Cursor((value, 1)), BY_SCORE, SCOPE)


COUNTED = Cursor(POSITION, total=Total(5, "exact"), witness="who")


@pytest.mark.parametrize("position", range(len(encode(COUNTED, BY_SCORE, SCOPE))))
def test_one_other_character_anywhere_is_refused(position: int) -> None:
    text = encode(COUNTED, BY_SCORE, SCOPE)
    before, own, after = text[:position], text[position], text[position + 1 :]
    for other in ALPHABET:
        if other != own:
            refused(before + other + after)
    refused(before + after)
    refused(before + own + own + after)
    refused(before)


@given(st.text() | st.text("ABCabc019-_.=", max_size=200))
def test_no_other_text_is_accepted(text: str) -> None:
    refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "\0",
        "é",
        "\ud800",
        "A" * 1_000_000,
        ".".join("A" * 100_000),
        "cD0yMDI2LTExLTIy",
        "null",
        "[1]",
    ],
    ids=[
        "empty",
        "separator",
        "separators",
        "nul",
        "non-ascii",
        "lone surrogate",
        "huge",
        "a hundred thousand parts",
        "one of DRF",
        "null",
        "list",
    ],
)
def test_malformed_text_is_refused(text: str) -> None:
    refused(text)


def test_a_cursor_signed_with_another_key_is_refused(settings: "Settings") -> None:
    text = encode(HERE, BY_SCORE, SCOPE)
    settings.SECRET_KEY = "another key, long enough for anybody to be happy with"
    refused(text)


def test_a_cursor_signed_for_another_purpose_is_refused() -> None:
    payload = payload_of(encode(HERE, BY_SCORE, SCOPE))
    assert decode(signed(payload), BY_SCORE, SCOPE) == HERE
    refused(Signer(salt="other", sep=".").sign_object(payload))


def test_rotating_the_key_keeps_old_cursors_alive(settings: "Settings") -> None:
    text = encode(HERE, BY_SCORE, SCOPE)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the new key, as long as the old one has been, at least"
    assert decode(text, BY_SCORE, SCOPE) == HERE
    assert encode(HERE, BY_SCORE, SCOPE) != text


@pytest.mark.parametrize("version", [0, 1, 3, None, "2"])
def test_another_format_version_is_refused(version: object) -> None:
    payload = payload_of(encode(HERE, BY_SCORE, SCOPE))
    for more in ([], ["a member more"]):
        with pytest.raises(CursorError) as caught:
            decode(signed([version, *payload[1:], *more]), BY_SCORE, SCOPE)
        assert caught.value.foreign


def test_a_cursor_of_the_first_format_is_refused() -> None:
    # As they were before: a position first, the walk behind, and no total.
    binding = payload_of(encode(HERE, BY_SCORE, SCOPE))[1]
    with pytest.raises(CursorError) as caught:
        decode(signed([1, binding, 0, list(POSITION)]), BY_SCORE, SCOPE)
    assert caught.value.foreign


@pytest.mark.parametrize(
    ("queryset", "names", "scope"),
    [
        (Article.objects.all(), ["score"], SCOPE),
        (Article.objects.all(), ["-score", "title"], SCOPE),
        (Article.objects.all(), ["-version"], SCOPE),
        (Article.objects.all(), ["-created"], SCOPE),
        (Article.objects.all(), [], SCOPE),
        (Author.objects.all(), [], SCOPE),
        (Article.objects.all(), ["-score"], "/articles/?flag=1"),
        (Article.objects.all(), ["-score"], ""),
    ],
    ids=[
        "direction",
        "longer",
        "column of the same type",
        "column",
        "primary key",
        "model",
        "filter",
        "no scope",
    ],
)
def test_a_cursor_of_another_list_is_refused(
    queryset: Any, names: list[str], scope: str
) -> None:
    other = resolve_ordering(queryset, names)
    text = encode(Cursor(POSITION[: len(other.terms)]), other, scope)
    with pytest.raises(CursorError) as caught:
        decode(text, BY_SCORE, SCOPE)
    assert caught.value.foreign


def test_the_same_ordering_in_other_words_is_the_same_list() -> None:
    other = resolve_ordering(Article.objects.filter(flag=True), ["-score", "-pk"])
    assert decode(encode(HERE, other, SCOPE), BY_SCORE, SCOPE) == HERE
