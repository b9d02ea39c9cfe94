"""The trace id of a request (W3C Trace Context, section 3.2)."""

import re
from typing import Final

__all__ = ["parse_trace_id"]

#: version "-" trace-id "-" parent-id "-" trace-flags; later versions may go on.
_TRACEPARENT: Final = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})"
    r"-[0-9a-f]{2}(?P<rest>-[!-~]*)?"
)
_NO_TRACE: Final = "0" * 32
_NO_PARENT: Final = "0" * 16


def parse_trace_id(value: str) -> str | None:
    """Give the trace id of a valid `traceparent`, else None."""
    found = _TRACEPARENT.fullmatch(value.strip(" \t"))
    if found is None or found["version"] == "ff":
        return None
    if found["version"] == "00" and found["rest"] is not None:
        return None
    if found["trace"] == _NO_TRACE or found["parent"] == _NO_PARENT:
        return None
    return found["trace"]
