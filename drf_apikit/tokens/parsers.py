"""JSON bodies that say everything once."""

from typing import Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError
from rest_framework.utils import json

__all__ = ["StrictJSONParser"]


class StrictJSONParser(parsers.JSONParser):
    """Refuse a member that comes twice (RFC 6749 section 3.2, RFC 8259 section 4).

    Of two members of one name a proxy, a log and this server may each believe another.
    """

    def parse(
        self, stream: Any, _media_type: Any = None, parser_context: Any = None
    ) -> Any:
        """Read the body."""
        theirs: Any = parsers
        encoding = theirs.get_encoding(parser_context or {})
        try:
            text = stream.read().decode(encoding)
            return json.loads(text, object_pairs_hook=_unique)
        except (RecursionError, ValueError) as error:
            raise ParseError from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member comes twice")
    return members
