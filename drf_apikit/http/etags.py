"""Entity tags: the grammar and the two comparisons of RFC 9110 section 8.8.3."""

import re
from dataclasses import dataclass

__all__ = ["ANY", "AnyTag", "EntityTag", "TagList", "parse_tag_list"]

# RFC 9110 section 8.8.3: etagc is any visible character but the quote, or
# obs-text. WSGI hands header bytes over as Latin-1, hence \x80-\xff.
_ETAGC = r"[\x21\x23-\x7e\x80-\xff]*"
_OPAQUE = re.compile(_ETAGC)
# A member and what separates it from the next one. Empty members are legal in
# what a recipient reads (section 5.6.1.2).
_MEMBER = re.compile(rf'(W/)?"({_ETAGC})"[ \t]*(?:,[ \t,]*|\Z)')
_WHITESPACE = " \t"


@dataclass(frozen=True, slots=True)
class EntityTag:
    """One validator, such as `"v7"` or `W/"v7"` (RFC 9110 section 8.8.3).

    `opaque` is the text between the quotes.

    Raises:
        ValueError: `opaque` has a character that the grammar does not allow.

    """

    opaque: str
    weak: bool = False

    def __post_init__(self) -> None:
        if not _OPAQUE.fullmatch(self.opaque):
            raise ValueError(f"not an opaque tag: {self.opaque!r}")

    def __str__(self) -> str:
        return f'{"W/" if self.weak else ""}"{self.opaque}"'

    @property
    def state(self) -> str:
        """What a writer must not have missed: the part before the first dot."""
        return self.opaque.partition(".")[0]

    def matches_strongly(self, other: "EntityTag") -> bool:
        """Compare as If-Match must (RFC 9110 section 8.8.3.2)."""
        return not self.weak and not other.weak and self.opaque == other.opaque

    def matches_weakly(self, other: "EntityTag") -> bool:
        """Compare as If-None-Match must (RFC 9110 section 8.8.3.2)."""
        return self.opaque == other.opaque


class AnyTag:
    """The field value `*`: any current representation."""

    def __repr__(self) -> str:
        return "ANY"


ANY = AnyTag()

TagList = AnyTag | tuple[EntityTag, ...] | None


def parse_tag_list(value: str) -> TagList:
    """Parse the value of If-Match or If-None-Match in linear time.

    Returns `ANY` for `*`, a tuple of tags, or None where the value does not
    follow the grammar (RFC 9110 sections 5.6.1, 13.1.1 and 13.1.2). An empty
    list is malformed too: both fields need at least one member.
    """
    value = value.strip(_WHITESPACE)
    if value == "*":
        return ANY
    value = value.lstrip(_WHITESPACE + ",")
    tags: list[EntityTag] = []
    position = 0
    while position < len(value):
        member = _MEMBER.match(value, position)
        if member is None:
            return None
        prefix, opaque = member.groups()
        tags.append(EntityTag(opaque, prefix is not None))
        position = member.end()
    return tuple(tags) or None
