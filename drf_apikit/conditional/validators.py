"""What an entity tag is made of (RFC 9110 section 8.8.3)."""

import hashlib
from typing import Any, Final

from django.utils.translation import get_language
from rest_framework.request import Request

from drf_apikit.http.etags import EntityTag

__all__ = ["body_tag", "row_tag"]

#: Moves when tags are made in another way, so that old ones never match.
_FORMAT: Final = 1
_DIGEST_SIZE: Final = 9


def row_tag(version: int, request: Request) -> EntityTag:
    """Make the tag of a row, in two parts: `state.variant`.

    The state is the row's version: what a writer must not have missed. The
    variant is a digest of what else shapes the bytes, since a strong tag
    differs between representations (RFC 9110 section 8.8.1).
    """
    variant = _digest(
        str(getattr(request, "accepted_media_type", "")),
        get_language() or "",
        request.META.get("QUERY_STRING", ""),
    )
    return EntityTag(f"{_FORMAT}-{version}.{variant}")


def body_tag(content: bytes) -> EntityTag:
    """Make the tag of some bytes: always right, and never cheap."""
    return EntityTag(f"{_FORMAT}-{_digest(content)}")


def _digest(*parts: Any) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST_SIZE)
    for part in parts:
        raw = part if isinstance(part, bytes) else part.encode(errors="replace")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()
