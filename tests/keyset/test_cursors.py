from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from django.core.signing import Signer
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from drf_apikit.keyset import Cursor, CursorError, decode, encode, resolve_ordering
from tests.app.models import Article, Author

if TYPE_CHECKING:
    from pytest_django import Settings

SCOPE = "/articles/?"
#: The same examples each time, however slow the machine is.
REPEATABLE = hypothesis(derandomize=True, deadline=None)
BY_SCORE = resolve_ordering(Article.objects.all(), ["-score"])
HERE = Cursor((7, 41))
#: What one wrong character is replaced by, besides what base64 and the separator use.
ALPHABET = "ABYZabyz0189-_.:=+/ ~\0é"


def signed(payload: Any) -> str:
    """Sign any payload as the cursors are signed."""
    return Signer(salt="drf_apikit.keyset.cursor", sep=".").sign_object(payload)


def payload_of(text: str) -> Any:
    return Signer(salt="drf_apikit.keyset.cursor", sep=".").unsign_object(text)


def refused(text: str) -> None:
    with pytest.raises(CursorError):
        decode(text, BY_SCORE, SCOPE)


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
)


@REPEATABLE
@given(values=st.tuples(SCALARS, SCALARS), reverse=st.booleans(), along=st.booleans())
def test_a_cursor_reads_back_as_it_was_written(
    values: tuple[Any, Any], reverse: bool, along: bool
) -> None:
    cursor = Cursor(values, reverse, along)
    read = decode(encode(cursor, BY_SCORE, SCOPE), BY_SCORE, SCOPE)
    assert read == cursor
    assert [type(value) for value in read.values] == [type(value) for value in values]


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
        "tab\t nul\0 'quote' \"double\" | , . : ; & = % [1, null] é 日本 🦆",
        "",
    ],
    ids=repr,
)
def test_no_value_loses_anything(value: object) -> None:
    text = encode(Cursor((value, None)), BY_SCORE, SCOPE)
    read = decode(text, BY_SCORE, SCOPE).values[0]
    assert (type(read), repr(read)) == (type(value), repr(value))


def test_a_text_is_safe_in_a_query_string() -> None:
    text = encode(Cursor(("&=%#?+ é", 1)), BY_SCORE, SCOPE)
    assert set(text) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    )


@pytest.mark.parametrize("value", [b"bytes", ["list"], {"a": 1}, 1j], ids=repr)
def test_a_value_without_lossless_text_is_no_position(value: object) -> None:
    with pytest.raises(TypeError, match="no cursor can hold"):
        encode(Cursor((value, 1)), BY_SCORE, SCOPE)


@pytest.mark.parametrize("position", range(len(encode(HERE, BY_SCORE, SCOPE))))
def test_one_other_character_anywhere_is_refused(position: int) -> None:
    text = encode(HERE, BY_SCORE, SCOPE)
    before, own, after = text[:position], text[position], text[position + 1 :]
    for other in ALPHABET:
        if other != own:
            refused(before + other + after)
    refused(before + after)
    refused(before + own + own + after)
    refused(before)


@REPEATABLE
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


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_another_format_version_is_refused(version: object) -> None:
    payload = payload_of(encode(HERE, BY_SCORE, SCOPE))
    refused(signed([version, *payload[1:]]))
    refused(signed([version, *payload[1:], "a member more"]))


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
    refused(encode(Cursor(HERE.values[: len(other.terms)]), other, scope))


def test_the_same_ordering_in_other_words_is_the_same_list() -> None:
    other = resolve_ordering(Article.objects.filter(flag=True), ["-score", "-pk"])
    assert decode(encode(HERE, other, SCOPE), BY_SCORE, SCOPE) == HERE
