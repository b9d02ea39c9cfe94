import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_apikit.http.fields import parse_string_or_token

KIB = 1024
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
BARE = "".join(c for c in PRINTABLE if c not in ' ",\\')


@pytest.mark.compliance("RFC 9651", "3.3.3")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param('"key"', "key", id="string"),
        pytest.param("key", "key", id="bare"),
        pytest.param(' \t"key" \t', "key", id="space-around-string"),
        pytest.param("\tkey ", "key", id="space-around-bare"),
        pytest.param('"a b"', "a b", id="space-inside"),
        pytest.param('" "', " ", id="only-space"),
        pytest.param(r'"a\"b"', 'a"b', id="escaped-quote"),
        pytest.param(r'"a\\b"', r"a\b", id="escaped-backslash"),
        pytest.param(r'"\\\""', '\\"', id="two-escapes"),
        pytest.param('"a,b"', "a,b", id="comma-in-string"),
        pytest.param("8e03978e-40d5-43dd-bc93-6894a57f9324", None, id="uuid"),
        pytest.param("a=b;c/d", None, id="punctuation"),
        pytest.param("!~", None, id="ends-of-the-range"),
    ],
)
def test_a_string_and_a_bare_word_give_their_text(
    value: str, expected: str | None
) -> None:
    assert parse_string_or_token(value) == (value if expected is None else expected)


@pytest.mark.compliance("RFC 9651", "4.2.5")
@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        '""',
        '"',
        '"a',
        'a"',
        '"a"b',
        '"a" "b"',
        '"a", "b"',
        "a,b",
        "a, b",
        "a b",
        "a\tb",
        r"a\b",
        r'"a\b"',
        '"a\\"',
        '"a\x00"',
        '"a\x1f"',
        '"a\x7f"',
        '"a\tb"',
        '"a\n"',
        "a\n",
        "a\x7f",
        "a\x00b",
        "\xe9",
        '"\xe9"',
        "\u2028",
        '"\ud800"',
    ],
    ids=ascii,
)
def test_what_is_neither_is_refused(value: str) -> None:
    with pytest.raises(
        ValueError, match=r"^neither a structured string nor a bare token$"
    ):
        parse_string_or_token(value)


@given(st.text(PRINTABLE, min_size=1))
def test_every_printable_text_can_be_sent_as_a_string(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_string_or_token(f'"{escaped}"') == text


@given(st.text(BARE, min_size=1))
def test_bare_and_quoted_are_the_same_text(text: str) -> None:
    assert parse_string_or_token(text) == parse_string_or_token(f'"{text}"') == text


@given(st.text() | st.text('"\\, a'))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = parse_string_or_token(text)
    except ValueError:
        return
    assert read
    assert set(read) <= set(PRINTABLE)


@pytest.mark.parametrize("unit", ['"', "\\", '\\"', '"\\', "a", "a "], ids=repr)
def test_a_hostile_value_is_decided(unit: str) -> None:
    length = 64 * KIB // len(unit)
    if unit == "a":
        assert parse_string_or_token(unit * length) == unit * length
    else:
        with pytest.raises(ValueError, match="neither"):
            parse_string_or_token(unit * length)
