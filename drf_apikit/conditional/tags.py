"""How a tag is put together: `state.variant`, or `state.variant.body`.

The state is what a writer must not have missed, the variant whatever else shapes
the bytes, the body a digest of the bytes themselves. Digests are keyed: nobody
can work out from a tag what the columns behind it say, nor make a tag up.
"""

import functools
import hashlib
from collections.abc import Iterable
from typing import Any, Final

from django.conf import settings

from drf_apikit.digests import feed
from drf_apikit.http.etags import EntityTag

__all__ = [
    "FORMAT",
    "body_of",
    "digest",
    "is_genuine",
    "join",
    "representation_of",
    "with_body",
]

#: Moves when tags are made in another way, so that old ones never match.
FORMAT: Final = 2
#: Octets; in a tag twice as many characters.
_SIZE: Final = 9
#: Characters by which a client's tag is told from one that somebody has made up.
_SEAL: Final = 8


def digest(parts: Iterable[Any]) -> str:
    """Hash some parts so that no two lists of parts are the same octets."""
    keyed = _keyed(settings.SECRET_KEY).copy()
    feed(keyed, parts)
    return keyed.hexdigest()


def join(state: str, *others: str) -> EntityTag:
    """Put the parts together; those that are empty are left out."""
    return EntityTag(".".join(part for part in (state, *others) if part))


def representation_of(tag: EntityTag) -> str:
    """Give state and variant without the digest of the body."""
    return ".".join(tag.opaque.split(".", 2)[:2])


def with_body(representation: str, body: str) -> EntityTag:
    """Add the digest of the body, and by what it is known to be ours."""
    return join(representation, f"{body}{_seal(representation, body)}")


def is_genuine(tag: EntityTag) -> bool:
    """Tell whether a tag with a digest of the body is one that we have made."""
    body, seal = body_of(tag)[:-_SEAL], body_of(tag)[-_SEAL:]
    return seal == _seal(representation_of(tag), body)


def body_of(tag: EntityTag) -> str:
    """Give the digest of the body, or nothing."""
    return tag.opaque[len(representation_of(tag)) + 1 :]


def _seal(representation: str, body: str) -> str:
    return digest(["seal", representation, body])[:_SEAL]


@functools.lru_cache(maxsize=4)
def _keyed(secret: str | bytes) -> "hashlib.blake2b":
    raw = secret if isinstance(secret, bytes) else secret.encode()
    key = hashlib.sha256(b"drf_apikit.conditional:" + raw).digest()
    return hashlib.blake2b(digest_size=_SIZE, key=key)
