"""DRF's nested validation errors as a flat list with JSON Pointers."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from rest_framework.settings import api_settings

__all__ = ["list_errors"]

#: What RFC 3986 section 3.5 allows in a fragment besides letters and digits.
_FRAGMENT: Final = "-._~!$&'()*+,;=:@/?"


def list_errors(detail: Any, limit: int) -> tuple[list[dict[str, Any]], int]:
    """Flatten `ValidationError.detail`; at most `limit` entries, and the total.

    Each entry has `pointer` (RFC 6901 section 6, the fragment form), `name`
    (the field, where there is one), `code` and `detail`.
    """
    entries: list[dict[str, Any]] = []
    total = 0
    for path, error in _walk(detail):
        total += 1
        if total <= limit:
            entries.append(_entry(path, error))
    return entries, total


def _entry(path: tuple[str, ...], error: Any) -> dict[str, Any]:
    entry = {
        "pointer": "#" + "".join(f"/{_token(part)}" for part in path),
        "code": str(getattr(error, "code", "invalid")),
        "detail": str(error),
    }
    return {"name": path[-1], **entry} if path else entry


def _token(part: str) -> str:
    """RFC 6901 sections 3 and 6: `~` first, then percent-encoding."""
    return quote(part.replace("~", "~0").replace("/", "~1"), safe=_FRAGMENT)


def _walk(detail: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield leaves with their paths, in order, without recursion."""
    stack: list[tuple[tuple[str, ...], Any]] = [((), detail)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, Mapping):
            children = [(_step(path, key), child) for key, child in node.items()]
        elif isinstance(node, list | tuple):
            children = [
                ((*path, str(index)) if _is_nested(child) else path, child)
                for index, child in enumerate(node)
            ]
        else:
            yield path, node
            continue
        stack.extend(reversed(children))


def _step(path: tuple[str, ...], key: Any) -> tuple[str, ...]:
    """Errors of the whole object belong to the object."""
    return path if key == api_settings.NON_FIELD_ERRORS_KEY else (*path, str(key))


def _is_nested(child: Any) -> bool:
    """Tell the items of a list of objects from several errors of one value."""
    return isinstance(child, Mapping | list | tuple)
