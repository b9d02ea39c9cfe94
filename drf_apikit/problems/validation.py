"""Nested validation errors as a flat list (RFC 9457 section 3, its example).

An entry has `location`, `pointer` (body only), `name`, `code`, `detail` and,
where the error knows them, `params`.
"""

import re
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Final
from urllib.parse import quote

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.translation import gettext as _
from rest_framework.settings import api_settings

from drf_apikit.conf import apikit_settings

__all__ = ["describe_errors", "describe_model_errors"]

#: What RFC 3986 section 3.5 allows in a fragment besides letters and digits.
_FRAGMENT: Final = "-._~!$&'()*+,;=:@/?"
#: Nearly every name and index: nothing to escape.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")
#: Levels; more is no body that a serializer could have read.
_MAX_DEPTH: Final = 100
#: Nodes that are visited to count errors; beyond it the total is a lower bound.
_MAX_VISITED: Final = 1_000_000
#: Of no use to any client.
_TOO_MANY_DIGITS: Final = 10**100

#: The pointer to it, and its name if it has one.
Place = tuple[str, str | None]
Leaf = tuple[Place, Any]
_ROOT: Final[Place] = ("#", None)
_NESTING: Final = (dict, list, tuple)


def describe_errors(detail: Any, location: str = "body") -> dict[str, Any]:
    """Give the members for `ValidationError.detail` of DRF, in any of its shapes."""
    leaves, total = _flatten(detail, apikit_settings.problems.max_errors)
    return _members(leaves, total, location)


def describe_model_errors(
    error: ValidationError, location: str = "body"
) -> dict[str, Any]:
    """Give the members for a Django `ValidationError`, with codes and `params`."""
    leaves = list(_model_leaves(error))
    limit = apikit_settings.problems.max_errors
    return _members(leaves[:limit], len(leaves), location)


def _members(leaves: list[Leaf], total: int, location: str) -> dict[str, Any]:
    errors = [_entry(place, error, location) for place, error in leaves]
    return {"errors": errors, "errors_total": total}


def _entry(place: Place, error: Any, location: str) -> dict[str, Any]:
    pointer, name = place
    entry: dict[str, Any] = {"location": location}
    if location == "body":
        entry["pointer"] = pointer
    if name is not None:
        entry["name"] = name
    entry["code"] = str(getattr(error, "code", None) or "invalid")
    entry["detail"] = str(error)
    params = getattr(error, "params", None)
    if isinstance(params, Mapping):
        entry["params"] = _plain_values(params)
    return entry


def _token(part: str) -> str:
    """RFC 6901 sections 3 and 6: `~` first, then percent-encoding."""
    if _PLAIN.fullmatch(part):
        return part
    escaped = part.replace("~", "~0").replace("/", "~1")
    return quote(escaped, safe=_FRAGMENT, errors="replace")


def _flatten(detail: Any, limit: int) -> tuple[list[Leaf], int]:
    """Give the first leaves with their places, in order, and how many there are.

    Without recursion, and in bounded work even for a structure that contains
    itself.
    """
    leaves: list[Leaf] = []
    stack = [_opened(_ROOT, detail if isinstance(detail, _NESTING) else [detail])]
    while stack and len(leaves) < limit:
        place, children = stack[-1]
        for key, child in children:
            below = place if key is None else _below(place, key)
            if not isinstance(child, _NESTING):
                leaves.append((below, child))
            elif len(stack) < _MAX_DEPTH:
                stack.append(_opened(below, child))
                break
            else:
                leaves.append((below, _("Nested too deep.")))
            if len(leaves) == limit:
                break
        else:
            stack.pop()
    rest = [child for _place, children in stack for _key, child in children]
    return leaves, len(leaves) + _count(rest)


def _opened(place: Place, node: Any) -> tuple[Place, Iterator[tuple[Any, Any]]]:
    """Give the children of a dict or list, each with what it adds to the place.

    That is nothing for errors of the whole object, and for several errors of one
    value.
    """
    if isinstance(node, dict):
        whole = api_settings.NON_FIELD_ERRORS_KEY
        return place, (
            (None if key == whole else str(key), child) for key, child in node.items()
        )
    return place, (
        (str(index) if isinstance(child, _NESTING) else None, child)
        for index, child in enumerate(node)
    )


def _below(place: Place, name: str) -> Place:
    return f"{place[0]}/{_token(name)}", name


def _count(nodes: list[Any]) -> int:
    """Count the leaves below some nodes, without looking at any of them closely."""
    total, budget = 0, _MAX_VISITED
    while nodes:
        node = nodes.pop()
        if not isinstance(node, _NESTING):
            total += 1
        elif budget > 0:
            budget -= len(node) + 1
            nodes.extend(node.values() if isinstance(node, dict) else node)
    return total


class _Message:
    """One message of a Django `ValidationError`, as DRF's `ErrorDetail` is one."""

    def __init__(self, error: ValidationError) -> None:
        self.code = error.code
        self.params = error.params
        self._text = error.messages[0]

    def __str__(self) -> str:
        return self._text


def _model_leaves(error: ValidationError) -> Iterator[Leaf]:
    if hasattr(error, "error_dict"):
        for name, errors in error.error_dict.items():
            place = _ROOT if name == NON_FIELD_ERRORS else _below(_ROOT, str(name))
            yield from ((place, _Message(item)) for item in errors)
    else:
        yield from ((_ROOT, _Message(item)) for item in error.error_list)


def _plain_values(params: Mapping[Any, Any]) -> dict[str, Any]:
    """Keep numbers and text; whatever else there is stays inside."""
    return {str(name): value for name, value in params.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    """Leave out what JSON or Python's own limit on digits would refuse."""
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, int):
        return abs(value) < _TOO_MANY_DIGITS
    return isinstance(value, str)
