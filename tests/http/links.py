"""A strict reader of the `Link` header (RFC 8288), for the tests."""

import re
from typing import Final

__all__ = ["parse_links", "targets"]

# RFC 3986, without what a URI must not have: each octet is one of these, or encoded.
_URI: Final = r"<(?P<uri>(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)>"
_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED: Final = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f-\U0010ffff]|\\[\x20-\x7e])*"'
_LINK: Final = re.compile(_URI)
_PARAMETER: Final = re.compile(
    rf"[ \t]*;[ \t]*(?P<name>{_TOKEN})[ \t]*=[ \t]*(?P<value>{_TOKEN}|{_QUOTED})"
)
_NEXT: Final = re.compile(r"[ \t]*,[ \t]*")


def parse_links(header: str) -> list[tuple[str, dict[str, str]]]:
    """Read all links, each with its parameters (section 3).

    Raises:
        ValueError: anything that the grammar does not have.

    """
    links: list[tuple[str, dict[str, str]]] = []
    at = 0
    while True:
        link = _LINK.match(header, at)
        if link is None:
            raise ValueError(f"no link at {header[at:]!r}")
        at = link.end()
        parameters: dict[str, str] = {}
        while (found := _PARAMETER.match(header, at)) is not None:
            name = found["name"].lower()
            if name in parameters:
                raise ValueError(f"{name} stands twice")
            parameters[name] = _unquoted(found["value"])
            at = found.end()
        links.append((link["uri"], parameters))
        if at == len(header):
            return links
        comma = _NEXT.match(header, at)
        if comma is None:
            raise ValueError(f"neither a comma nor an end at {header[at:]!r}")
        at = comma.end()


def targets(header: str) -> dict[str, str]:
    """Give the targets by their relation types, of which none may stand twice."""
    found: dict[str, str] = {}
    for uri, parameters in parse_links(header):
        for relation in parameters["rel"].split():
            if relation in found:
                raise ValueError(f"two links are {relation!r}")
            found[relation] = uri
    return found


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
