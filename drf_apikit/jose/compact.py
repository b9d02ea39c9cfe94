"""Strict reading of the compact serialization (RFC 7515 sections 3.1 and 7.1)."""

import binascii
import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NoReturn

from drf_apikit.jose.errors import Reason, TokenError

__all__ = ["MAX_DEPTH", "MAX_SIZE", "CompactToken", "parse_compact"]

#: Octets. Far above any real access token, far below what is dear to parse.
MAX_SIZE = 16 * 1024
#: Levels of nested arrays and objects.
MAX_DEPTH = 32

_SEGMENTS: Final = 3
#: To the alphabet of base64; its own two letters and padding become what has no place
#: in it (RFC 4648 section 5).
_ALPHABET: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
#: What is missing at the end, by the length over a multiple of four, and the letters
#: whose last bits are zero, so that nothing is encoded in them.
_ENDS: Final[Mapping[int, tuple[bytes, bytes]]] = {
    2: (b"==", b"AQgw"),
    3: (b"=", b"AEIMQUYcgkosw048"),
}
#: Octets of a header that is remembered: an issuer sends few different ones.
_SMALL: Final = 512


@dataclass(frozen=True, slots=True)
class CompactToken:
    """A well-formed but unverified token.

    Nothing in `payload` may be trusted before `verify()`, but for `iss` as a
    key into the issuers that are trusted anyway.
    """

    header: Mapping[str, Any]
    payload: Mapping[str, Any]
    signing_input: bytes
    signature: bytes


def parse_compact(token: str) -> CompactToken:
    """Read a token whose payload is a JSON object.

    Raises:
        TokenError: `too_large`, or `malformed` for anything but three segments
            of canonical unpadded base64url over two JSON objects without
            duplicate members, NaN, infinities or lone surrogates.

    """
    if len(token) > MAX_SIZE:
        raise TokenError(Reason.TOO_LARGE, f"more than {MAX_SIZE} octets")
    try:
        segments = token.encode("ascii").split(b".")
    except UnicodeEncodeError:
        raise _malformed("not ASCII") from None
    if len(segments) != _SEGMENTS:
        raise _malformed("not three segments")
    header, payload, signature = segments
    read = _small_object if len(header) <= _SMALL else _json_object
    return CompactToken(
        header=read(header),
        payload=_json_object(payload),
        signing_input=header + b"." + payload,
        signature=_base64url(signature),
    )


def _malformed(detail: str) -> TokenError:
    return TokenError(Reason.MALFORMED, detail)


def _base64url(segment: bytes) -> bytes:
    """Decode the one canonical spelling (RFC 7515 section 2, RFC 4648 3.5).

    Otherwise anybody could spell one token in many ways. With ECDSA there are two
    all the same, since each signature has a twin: what is kept about a token has to
    be kept by its claims, never by its text.
    """
    over = len(segment) % 4
    padding, ends = _ENDS.get(over, (b"", b""))
    if over and segment[-1:] not in ends:
        raise _malformed("not canonical base64url")
    try:
        plain = segment.translate(_ALPHABET) + padding
        return binascii.a2b_base64(plain, strict_mode=True)
    except binascii.Error:
        raise _malformed("not base64url") from None


def _json_object(segment: bytes) -> Mapping[str, Any]:
    """Parse strictly (RFC 8725 section 2.4, RFC 7519 section 4)."""
    raw = _base64url(segment)
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
        if b"\\u" in raw:
            # Only an escape can smuggle a lone surrogate past UTF-8.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise _malformed("not a strict JSON text") from None
    if not isinstance(value, dict):
        raise _malformed("not a JSON object")
    # Counting brackets is a cheap upper bound on the depth.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise _malformed("nested too deep")
    return MappingProxyType(value)


@functools.lru_cache(maxsize=256)
def _small_object(segment: bytes) -> Mapping[str, Any]:
    return _json_object(segment)


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


def _depth(value: object) -> int:
    """Count nested levels without recursion."""
    depth, level = 0, [value]
    while level:
        containers = [item for item in level if isinstance(item, dict | list)]
        depth += bool(containers)
        level = [
            child
            for item in containers
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique_members,
    parse_constant=_refuse_constant,
    parse_float=_finite,
)
