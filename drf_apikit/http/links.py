"""The `Link` header (RFC 8288)."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

__all__ = ["format_links"]

#: What may stand between `<` and `>` as it is (RFC 3986 section 2).
_URI: Final = "%/:?#[]@!$&'()*+,;=-._~"
_LONE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
#: RFC 8288 section 3.3: a registered relation type.
_RELATION: Final = re.compile(r"[a-z][a-z0-9.-]*")


def format_links(links: Mapping[str, str]) -> str:
    """Write targets by their relation types (RFC 8288 section 3).

    What a URI cannot have is percent-encoded, so that no target ends early or
    becomes another one.

    Raises:
        ValueError: a relation type that is not registered or could not be.

    """
    for relation in links:
        if not _RELATION.fullmatch(relation):
            raise ValueError(f"{relation!r} is no registered relation type")
    return ", ".join(
        f'<{_escape(target)}>; rel="{relation}"' for relation, target in links.items()
    )


def _escape(target: str) -> str:
    return quote(_LONE_PERCENT.sub("%25", target), safe=_URI)
