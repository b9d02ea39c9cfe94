"""Structured field values: the String of RFC 9651 section 3.3.3."""

import re

__all__ = ["parse_string_or_token"]

_VISIBLE = re.compile(r"[\x21-\x7e]+")
# RFC 9651 section 3.3.3: printable ASCII, with \" and \\ as the only escapes.
_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_ESCAPE = re.compile(r"\\(.)")


def parse_string_or_token(value: str) -> str:
    """Read `"text"` or bare `text` as the same text.

    A value that begins with a quote must be a whole structured String; any
    other must be visible ASCII without a quote, backslash or comma, since two
    header lines reach the server joined by a comma.

    Raises:
        ValueError: the value is neither, or is empty.

    """
    value = value.strip(" \t")
    if value.startswith('"'):
        string = _STRING.fullmatch(value)
        text = _ESCAPE.sub(r"\1", string[1]) if string else ""
    elif _VISIBLE.fullmatch(value) and not set(value) & {'"', "\\", ","}:
        text = value
    else:
        text = ""
    if not text:
        raise ValueError("neither a structured string nor a bare token")
    return text
