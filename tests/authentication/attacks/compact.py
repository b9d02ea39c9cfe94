"""How a token is written: segments, base64url, JSON."""

import json
from collections.abc import Callable
from typing import Any, Final

from drf_apikit.jose import Reason
from tests.authentication.attacks.cases import Case, Outcome, World, raw
from tests.jose.minting import base64url

__all__ = ["COMPACT_CASES"]

_SERIALIZATION: Final = ("RFC 7515", "7.1")
_BASE64: Final = ("RFC 7515", "2")
_BITS: Final = ("RFC 4648", "3.5")
_JSON: Final = ("RFC 8725", "2.4")
_MEMBERS: Final = ("RFC 7519", "4")
_DATE: Final = ("RFC 7519", "2")
_BAD: Final = Reason.MALFORMED
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _edited(
    name: str,
    edit: Callable[[list[str]], list[str]],
    expected: Outcome | Reason = _BAD,
    spec: tuple[str, str] = _SERIALIZATION,
) -> Case:
    """Give a case of a good token whose text is changed afterwards."""

    def make(world: World) -> str:
        return ".".join(edit(world.token().split(".")))

    return Case(name, make, expected, *spec)


def _at(place: int, edit: Callable[[str], str]) -> Callable[[list[str]], list[str]]:
    def edited(parts: list[str]) -> list[str]:
        return [edit(part) if n == place else part for n, part in enumerate(parts)]

    return edited


def _next_spelling(segment: str) -> str:
    """Set a bit at the end that nothing is encoded in."""
    return segment[:-1] + _ALPHABET[_ALPHABET.index(segment[-1]) + 1]


def _spelt_otherwise(place: int) -> Case:
    def make(world: World) -> str:
        # A segment whose length leaves such bits; a signature of ES256 has two.
        for filler in range(3):
            pad = "x" * filler
            token = world.token({"cty": pad}, {"pad": pad})
            if len(token.split(".")[place]) % 4:
                return ".".join(_at(place, _next_spelling)(token.split(".")))
        raise AssertionError

    return Case(f"base64-last-bits-{place}", make, _BAD, *_BITS)


def _json_serialization(world: World) -> str:
    header, payload, signature = world.token().split(".")
    whole = {"protected": header, "payload": payload, "signature": signature}
    return json.dumps(whole)


def _nested(world: World) -> str:
    """Sign a token that is signed already (RFC 7519 appendix A.2)."""
    return world.token({"cty": "JWT"}, world.token().encode())


def _encrypted(world: World) -> str:
    header = {"alg": "RSA-OAEP", "enc": "A256GCM", "kid": "RSA", "typ": "at+jwt"}
    parts = (world.forged(header, bytes).split(".")[0], "AAAA", "AAAA", "AAAA", "AAAA")
    return ".".join(parts)


def _in_claims(name: str, member: bytes, spec: tuple[str, str] = _JSON) -> Case:
    """Give a case with one more member in the claims, as it is written."""
    return raw(
        f"json-{name}", _BAD, spec, claims=lambda text: text[:-1] + b"," + member + b"}"
    )


def _in_header(name: str, member: bytes, spec: tuple[str, str] = _JSON) -> Case:
    return raw(
        f"json-header-{name}",
        _BAD,
        spec,
        header=lambda text: text[:-1] + b"," + member + b"}",
    )


def _exp(name: str, number: bytes, expected: Reason) -> Case:
    """Give a case of another number as `exp`, the way it is written."""

    def written(text: bytes) -> bytes:
        claims: dict[str, Any] = json.loads(text)
        before = f'"exp": {claims["exp"]}'.encode()
        assert before in text
        return text.replace(before, b'"exp": ' + number)

    return raw(f"exp-{name}", expected, _DATE, claims=written)


def _deep(opening: bytes, closing: bytes, levels: int) -> bytes:
    return b'"deep":' + opening * levels + b"1" + closing * levels


COMPACT_CASES: Final = (
    _edited("two-segments", lambda parts: parts[:2]),
    _edited("four-segments", lambda parts: [*parts, "AAAA"]),
    _edited("no-segments", lambda _: ["", "", ""]),
    _edited("dot-at-end", lambda parts: [*parts, ""]),
    _edited("dot-before", lambda parts: ["", *parts]),
    _edited("no-header", _at(0, lambda _: "")),
    _edited("no-payload", _at(1, lambda _: "")),
    _edited("detached-payload", _at(1, lambda _: ""), spec=("RFC 7515", "3.1")),
    Case(
        "json-serialization",
        _json_serialization,
        Outcome.NO_REQUEST,
        *("RFC 7515", "7.2"),
    ),
    Case("nested-jws", _nested, _BAD, "RFC 7519", "5.2"),
    Case("encrypted", _encrypted, _BAD, "RFC 7516", "3.1"),
    Case(
        "17-kB",
        lambda world: world.token({}, {"pad": "x" * 13_000}),
        Reason.TOO_LARGE,
        *("RFC 8725", "2.4"),
    ),
    _edited("base64-padding-0", _at(0, lambda s: s + "="), Outcome.NO_REQUEST, _BASE64),
    _edited("base64-padding-1", _at(1, lambda s: s + "="), Outcome.NO_REQUEST, _BASE64),
    _edited("base64-padding-2", _at(2, lambda s: s + "="), _BAD, _BASE64),
    _edited("base64-padding-full", _at(2, lambda s: s + "=="), _BAD, _BASE64),
    _edited("base64-plus", _at(2, lambda s: "+" + s[1:]), _BAD, _BASE64),
    _edited("base64-slash", _at(1, lambda s: s[:4] + "/" + s[5:]), _BAD, _BASE64),
    _edited("base64-tilde", _at(2, lambda s: s[:4] + "~" + s[5:]), _BAD, _BASE64),
    _edited(
        "base64-space",
        _at(2, lambda s: f"{s[:4]} {s[4:]}"),
        Outcome.NO_REQUEST,
        _BASE64,
    ),
    _edited(
        "base64-newline",
        _at(1, lambda s: f"{s[:4]}\n{s[4:]}"),
        Outcome.NO_REQUEST,
        _BASE64,
    ),
    _edited("base64-impossible-length", _at(2, lambda s: s[:85]), _BAD, _BASE64),
    *map(_spelt_otherwise, range(3)),
    raw("json-payload-array", _BAD, _MEMBERS, claims=lambda text: b"[%b]" % text),
    raw("json-payload-text", _BAD, _MEMBERS, claims=lambda _: b'"robot"'),
    raw("json-payload-null", _BAD, _MEMBERS, claims=lambda _: b"null"),
    raw("json-payload-number", _BAD, _MEMBERS, claims=lambda _: b"1"),
    raw("json-payload-empty", _BAD, _MEMBERS, claims=lambda _: b""),
    raw("json-payload-xml", _BAD, _MEMBERS, claims=lambda _: b"<a/>"),
    raw("json-payload-twice", _BAD, _JSON, claims=lambda text: text * 2),
    raw("json-header-array", _BAD, _JSON, header=lambda text: b"[%b]" % text),
    raw("json-bom", _BAD, _JSON, claims=lambda text: b"\xef\xbb\xbf" + text),
    raw("json-header-bom", _BAD, _JSON, header=lambda text: b"\xef\xbb\xbf" + text),
    raw("json-utf-16", _BAD, _JSON, claims=lambda text: text.decode().encode("utf-16")),
    raw("json-utf-32", _BAD, _JSON, claims=lambda text: text.decode().encode("utf-32")),
    raw("json-nul-after", _BAD, _JSON, claims=lambda text: text + b"\0"),
    raw("json-comment", _BAD, _JSON, claims=lambda text: text + b"//"),
    raw("json-trailing-comma", _BAD, _JSON, claims=lambda text: text[:-1] + b",}"),
    raw("json-quotes", _BAD, _JSON, claims=lambda text: text.replace(b'"', b"'")),
    _in_claims("not-utf-8", b'"name":"\xff\xfe"'),
    _in_claims("overlong-utf-8", b'"name":"\xc0\xaf"'),
    _in_claims("surrogate-in-utf-8", b'"name":"\xed\xa0\x80"'),
    _in_claims("lone-surrogate", b'"name":"\\ud800"'),
    _in_claims("lone-surrogate-deep", b'"act":{"sub":["\\udfff"]}'),
    _in_claims("lone-surrogate-as-name", b'"\\ud800":1'),
    _in_claims("bare-nul", b'"name":"a\0b"'),
    _in_claims("bare-newline", b'"name":"a\nb"'),
    _in_claims("duplicate-aud", b'"aud":"https://other.test"', _MEMBERS),
    _in_claims("duplicate-sub", b'"sub":"robot"', _MEMBERS),
    _in_claims("duplicate-by-escape", b'"\\u0073ub":"admin"', _MEMBERS),
    _in_claims("duplicate-deep", b'"act":{"sub":"a","sub":"b"}', _MEMBERS),
    _in_claims("duplicate-deeper", b'"a":[{"b":[{"c":1,"c":1}]}]', _MEMBERS),
    _in_header("duplicate-alg", b'"alg":"none"', ("RFC 7515", "4")),
    _in_header("duplicate-kid", b'"kid":"P-256"', ("RFC 7515", "4")),
    _in_header("duplicate-deep", b'"x":{"a":1,"a":2}', ("RFC 7515", "4")),
    _in_claims("nan", b'"n":NaN'),
    _in_claims("infinity", b'"n":-Infinity'),
    _in_claims("1e400", b'"n":[1e400]'),
    _in_claims("5000-digits", b'"n":' + b"9" * 5000),
    _in_claims("deep-arrays", _deep(b"[", b"]", 40)),
    _in_claims("deeper-arrays", _deep(b"[", b"]", 5000)),
    _in_claims("deep-objects", _deep(b'{"a":', b"}", 1500)),
    _in_header("deep", _deep(b"[", b"]", 40)),
    _exp("1e400", b"1e400", _BAD),
    _exp("nan", b"NaN", _BAD),
    _exp("infinity", b"Infinity", _BAD),
    _exp("10-to-30", b"1" + b"0" * 30, Reason.CLAIM_INVALID),
    _exp("1e300", b"1e300", Reason.CLAIM_INVALID),
    _exp("4000-digits", b"9" * 4000, Reason.CLAIM_INVALID),
    _exp("leading-zero", b"0" + b"9" * 10, _BAD),
    _exp("hexadecimal", b"0xffffffff", _BAD),
    _exp("negative", b"-1", Reason.CLAIM_INVALID),
    _exp("minus-zero", b"-0", Reason.EXPIRED),
    _exp("tiny", b"1e-999", Reason.EXPIRED),
    Case(
        "payload-of-another-token",
        lambda world: ".".join(
            [
                world.token().split(".")[0],
                base64url(json.dumps(world.claims(sub="admin")).encode()),
                world.token().split(".")[2],
            ]
        ),
        Reason.SIGNATURE,
        *("RFC 7515", "5.2"),
    ),
)
