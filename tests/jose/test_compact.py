import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_apikit.jose.compact import MAX_DEPTH, MAX_SIZE, parse_compact
from drf_apikit.jose.errors import Reason, TokenError
from tests.jose.minting import CLAIMS, HEADER, base64url, mint

GOOD = mint()
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def segments(header: bytes = b"{}", payload: bytes = b"{}", signature: str = "") -> str:
    return f"{base64url(header)}.{base64url(payload)}.{signature}"


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    return b'{"a":%b}' % f"{opening * levels}{closing * levels}".encode()


def refusal(token: str) -> Reason:
    with pytest.raises(TokenError) as refused:
        parse_compact(token)
    return refused.value.reason


@pytest.mark.compliance("RFC 7515", "7.1")
def test_a_token_is_taken_apart() -> None:
    token = parse_compact(GOOD)
    assert token.header == HEADER
    assert token.payload == CLAIMS
    assert token.signing_input == GOOD.rpartition(".")[0].encode()
    assert len(token.signature) == 64


@pytest.mark.compliance("RFC 7515", "7.1")
@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param(".", id="one-dot"),
        pytest.param("..", id="dots-alone"),
        pytest.param("e30.e30", id="two-segments"),
        pytest.param("e30.e30..", id="four-segments"),
        pytest.param("e30.e30.e30.e30.e30", id="encrypted"),
        pytest.param(".e30.", id="no-header"),
        pytest.param("e30..", id="no-payload"),
        pytest.param('{"a": 1}', id="json"),
        pytest.param(f"Bearer {GOOD}", id="scheme-inside"),
        pytest.param(f"{GOOD},{GOOD}", id="two-by-comma"),
        pytest.param(f"{GOOD} ", id="space-after"),
        pytest.param(f" {GOOD}", id="space-before"),
        pytest.param(f"{GOOD}\n", id="newline"),
        pytest.param(f"{GOOD}\0", id="nul"),
        pytest.param(f"{GOOD}\xe9", id="latin-1"),
        pytest.param(f"{GOOD}\u0131", id="non-ascii"),
        pytest.param(f"{GOOD}\ud800", id="surrogate"),
    ],
)
def test_what_is_not_three_segments_is_malformed(token: str) -> None:
    assert refusal(token) is Reason.MALFORMED


@pytest.mark.compliance("RFC 7515", "2")
@pytest.mark.parametrize("place", [0, 1, 2], ids=["header", "payload", "signature"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s: s + "=", id="padding-1"),
        pytest.param(lambda s: s + "==", id="padding-2"),
        pytest.param(lambda s: s + "====", id="padding-4"),
        pytest.param(lambda s: "=" + s, id="padding-before"),
        pytest.param(lambda s: s[:4] + "\n" + s[4:], id="newline"),
        pytest.param(lambda s: s[:4] + " " + s[4:], id="space"),
        pytest.param(lambda s: s[:4] + "\0" + s[4:], id="nul"),
        pytest.param(lambda s: s[:4] + "!!!!" + s[4:], id="junk"),
        pytest.param(lambda s: s[:4] + "+" + s[5:], id="plus"),
        pytest.param(lambda s: s[:4] + "/" + s[5:], id="slash"),
        pytest.param(lambda s: s[: len(s) // 4 * 4] + "A", id="impossible-length"),
    ],
)
def test_base64url_has_one_spelling(place: int, change: object) -> None:
    parts = GOOD.split(".")
    assert callable(change)
    parts[place] = change(parts[place])
    assert refusal(".".join(parts)) is Reason.MALFORMED


@pytest.mark.compliance("RFC 4648", "3.5")
@pytest.mark.parametrize("signature", ["AB", "AAB", "AAAB", "AAAAAB"])
def test_bits_that_are_not_used_must_be_zero(signature: str) -> None:
    if len(signature) % 4 == 0:
        assert parse_compact(segments(signature=signature)).signature == b"\0\0\1"
    else:
        assert refusal(segments(signature=signature)) is Reason.MALFORMED


@pytest.mark.compliance("RFC 8725", "2.4")
@pytest.mark.compliance("RFC 7519", "4")
@pytest.mark.parametrize("place", ["header", "payload"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"1", id="number"),
        pytest.param(b'"a"', id="string"),
        pytest.param(b"[]", id="array"),
        pytest.param(b'[{"a": 1}]', id="array-of-object"),
        pytest.param(b"{", id="unfinished"),
        pytest.param(b"{}{}", id="two-objects"),
        pytest.param(b"{} x", id="more-after"),
        pytest.param(b"{'a': 1}", id="single-quotes"),
        pytest.param(b'{"a": 1,}', id="trailing-comma"),
        pytest.param(b'{"a": 1, "a": 1}', id="duplicate"),
        pytest.param(b'{"alg": "none", "alg": "ES256"}', id="duplicate-alg"),
        pytest.param(b'{"a": 1, "\\u0061": 2}', id="duplicate-by-escape"),
        pytest.param(b'{"b": [{"a": 1, "a": 2}]}', id="duplicate-inside"),
        pytest.param(b'{"a": NaN}', id="nan"),
        pytest.param(b'{"a": Infinity}', id="infinity"),
        pytest.param(b'{"a": -Infinity}', id="minus-infinity"),
        pytest.param(b'{"a": 1e400}', id="1e400"),
        pytest.param(b'{"a": [-1e400]}', id="minus-1e400"),
        pytest.param(b'{"a": %b}' % (b"1" * 5000), id="5000-digits"),
        pytest.param(b'{"a": "\\ud800"}', id="lone-high-surrogate"),
        pytest.param(b'{"a": "\\udc00"}', id="lone-low-surrogate"),
        pytest.param(b'{"\\ud800": 1}', id="lone-surrogate-in-a-name"),
        pytest.param(b'{"a": ["\\ud800x\\udc00"]}', id="parted-surrogates"),
        pytest.param(b'{"a": "\xed\xa0\x80"}', id="surrogate-in-utf-8"),
        pytest.param(b'{"a": "\xc0\xaf"}', id="overlong-utf-8"),
        pytest.param(b'{"a": "\xff"}', id="latin-1"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', id="byte-order-mark"),
        pytest.param('{"a": 1}'.encode("utf-16"), id="utf-16"),
        pytest.param(b'{"a": "\x00"}', id="bare-nul"),
        pytest.param(b'{"a": "\n"}', id="bare-newline"),
        pytest.param(b'{"a": 01}', id="leading-zero"),
        pytest.param(b'{"a": .5}', id="no-integer-part"),
        pytest.param(b'{"a": 0x10}', id="hexadecimal"),
        pytest.param(nested(MAX_DEPTH), id="33-levels"),
        pytest.param(nested(5000), id="5000-levels"),
        pytest.param(nested(1000, '{"a":', "}").replace(b":}", b":1}"), id="objects"),
        pytest.param(b"[" * 12_000, id="12000-brackets"),
    ],
)
def test_only_a_strict_json_object_is_read(place: str, text: bytes) -> None:
    token = segments(text) if place == "header" else segments(payload=text)
    assert refusal(token) is Reason.MALFORMED


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(rb'{"a": "\u00e9"}', {"a": "\xe9"}, id="escape"),
        pytest.param(rb'{"a": "\ud83d\ude00"}', {"a": "\U0001f600"}, id="pair"),
        pytest.param('{"a": "é"}'.encode(), {"a": "é"}, id="utf-8"),
        pytest.param(rb'{"a": "\u0000"}', {"a": "\0"}, id="escaped-nul"),
        pytest.param(b'{"a": 1e308, "b": -0}', {"a": 1e308, "b": 0}, id="numbers"),
        pytest.param(b' {"a" : [ ] }\n', {"a": []}, id="space"),
        pytest.param(b'{"a": "%b"}' % (b"[{" * 99), {"a": "[{" * 99}, id="brackets"),
        pytest.param(nested(MAX_DEPTH - 1), None, id="32-levels"),
        pytest.param(
            b'{"b": [[], []], %b' % nested(MAX_DEPTH - 1)[1:], None, id="32-and-more"
        ),
        pytest.param(b'{"a": [%b[]]}' % (b"[]," * 99), None, id="many-but-shallow"),
    ],
)
def test_strict_is_not_narrow(text: bytes, value: object) -> None:
    token = parse_compact(segments(payload=text, header=text))
    assert token.header == token.payload == (value or json.loads(text))


def test_the_size_is_bounded() -> None:
    largest = f"e30.e30.{'A' * (MAX_SIZE - 8)}"
    assert len(largest) == MAX_SIZE
    assert parse_compact(largest).signature == bytes((MAX_SIZE - 8) * 3 // 4)
    assert refusal(f"{largest}A") is Reason.TOO_LARGE
    assert refusal("\xe9" * (MAX_SIZE + 1)) is Reason.TOO_LARGE
    assert refusal("A" * 1_000_000) is Reason.TOO_LARGE


@pytest.mark.parametrize(("octets", "is_remembered"), [(384, True), (385, False)])
def test_a_small_header_is_read_once(octets: int, is_remembered: bool) -> None:
    """512 letters of base64url are 384 octets."""
    header = b'{"a":"%b"}' % (b"x" * (octets - 8))
    one, other = (parse_compact(segments(header)) for _ in range(2))
    assert one.header == other.header
    assert (one.header is other.header) is is_remembered


def test_a_lower_recursion_limit_refuses_and_does_not_crash() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        assert refusal(segments(payload=nested(5000))) is Reason.MALFORMED
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize("text", [b'{"secret": 1, "secret": 2}', b"secret", b"\xff"])
def test_an_error_never_quotes_the_token(text: bytes) -> None:
    with pytest.raises(TokenError) as refused:
        parse_compact(segments(payload=text))
    shown = f"{refused.value} {refused.value.detail} {refused.value!r}"
    assert "secret" not in shown
    assert base64url(text) not in shown
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    ("token", "detail"),
    [
        ("A" * (MAX_SIZE + 1), "more than 16384 octets"),
        ("é", "not ASCII"),
        ("e30.e30", "not three segments"),
        ("e30.e30.AB", "not canonical base64url"),
        ("e30.e30.A", "not canonical base64url"),
        ("e30.e30.X", "not canonical base64url"),
        ("e30.e30.!AAA", "not base64url"),
        (segments(b"{"), "not a strict JSON text"),
        (segments(b"[]"), "not a JSON object"),
        (segments(payload=nested(MAX_DEPTH)), "nested too deep"),
    ],
)
def test_a_refusal_says_what_is_wrong(token: str, detail: str) -> None:
    with pytest.raises(TokenError) as refused:
        parse_compact(token)
    assert refused.value.detail == detail


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    assert refusal(text) is Reason.MALFORMED


@given(st.binary(), st.binary(), st.text(LETTERS))
def test_any_segments_are_read_or_refused(
    header: bytes, payload: bytes, signature: str
) -> None:
    try:
        token = parse_compact(segments(header, payload, signature))
    except TokenError:
        return
    assert base64url(token.signature) == signature
