"""The routes of the URL configuration that a request can come to."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern
from django.urls.resolvers import RegexPattern, RoutePattern

__all__ = ["Reachable"]

#: What a route is made of, from the root of the site on; None for what nobody can say.
_Parts = tuple[tuple[type, str], ...] | None


@dataclass(frozen=True, slots=True)
class Reachable:
    """A resolver's routes, without those that an earlier one hides.

    Django asks the first route that fits, whatever the method. Hidden is for sure what
    has the very route of an earlier one; of others nothing is known.
    """

    resolver: Any

    @property
    def url_patterns(self) -> list[URLPattern]:
        """The routes that lead to a view."""
        seen: set[Any] = set()
        found = []
        for parts, pattern in _leaves(self.resolver, ()):
            route = _route(parts)
            if route is None or route not in seen:
                seen.add(route)
                found.append(pattern)
        return found


def _leaves(resolver: Any, prefix: _Parts) -> Iterator[tuple[_Parts, Any]]:
    """Give each route in the order in which they are tried."""
    for pattern in resolver.url_patterns:
        parts, kind = prefix, type(pattern.pattern)
        # What is of another kind may depend on the language, or on anything.
        is_plain = kind in (RoutePattern, RegexPattern)
        if parts is not None:
            parts = (*parts, (kind, str(pattern.pattern))) if is_plain else None
        if hasattr(pattern, "url_patterns"):
            yield from _leaves(pattern, parts)
        else:
            yield parts, pattern


def _route(parts: _Parts) -> object:
    """Give what is equal for routes that are the same, however they are included."""
    if parts is None or not all(map(_is_literal, parts)):
        # What such a part takes of a path depends on the next one.
        return parts
    return "".join(text for _, text in parts)


def _is_literal(part: tuple[type, str]) -> bool:
    kind, text = part
    return kind is RoutePattern and "<" not in text
