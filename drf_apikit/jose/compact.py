"""Strict reading of the compact serialization (RFC 7515 sections 3.1 and 7.1)."""

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from drf_apikit.jose.errors import Reason, TokenError

__all__ = ["MAX_DEPTH", "MAX_SIZE", "CompactToken", "parse_compact"]

#: Octets. Far above any real access token, far below what is dear to parse.
MAX_SIZE = 16 * 1024
#: Levels of nested arrays and objects.
MAX_DEPTH = 32

_SEGMENTS = 3


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
    return CompactToken(
        header=_json_object(_base64url(header)),
        payload=_json_object(_base64url(payload)),
        signing_input=header + b"." + payload,
        signature=_base64url(signature),
    )


def _malformed(detail: str) -> TokenError:
    return TokenError(Reason.MALFORMED, detail)


def _base64url(segment: bytes) -> bytes:
    """Decode the one canonical spelling (RFC 7515 section 2, RFC 4648 3.5).

    Otherwise one token would have many spellings, and a deny list keyed on
    the string could be walked around.
    """
    try:
        raw = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    except (binascii.Error, ValueError):
        raise _malformed("not base64url") from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != segment:
        raise _malformed("not canonical base64url")
    return raw


def _json_object(raw: bytes) -> Mapping[str, Any]:
    """Parse strictly (RFC 8725 section 2.4, RFC 7519 section 4)."""
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique_members,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
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
    return value


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
