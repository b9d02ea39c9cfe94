"""Answers in a cache that all processes share: a replay without the database.

They are put there when their transaction has committed, and only read. What is
not in the cache, is lost from it, or cannot be read, is asked of the database:
it alone decides whether an operation has been done.
"""

import logging
from typing import Any, Final

from django.core.cache import caches

from drf_apikit.conf import apikit_settings
from drf_apikit.idempotency.answers import Answer
from drf_apikit.idempotency.claims import Claim, Kept
from drf_apikit.idempotency.keys import FORMAT

__all__ = ["find", "forget", "keep"]

#: What is there for a while after an answer was taken out: whoever has committed it
#: just before may still be about to put it there.
_GONE: Final = ()
_GONE_SECONDS: Final = 60
_PREFIX: Final = f"drf_apikit:idempotency:{FORMAT}:"
logger = logging.getLogger("drf_apikit.idempotency")


def find(scope: str) -> Kept | None:
    """Give what the cache has of a scope, if it can be read."""
    alias = apikit_settings.idempotency.cache
    if alias is None:
        return None
    try:
        found = caches[alias].get(_PREFIX + scope)
        kept = None if found in (None, _GONE) else Kept(*found)
        if kept is not None:
            Answer.read(kept, scope)
    except Exception:  # whatever it raises: the database knows
        logger.warning("Cannot read an answer from the cache.", exc_info=True)
        return None
    return kept


def keep(claim: Claim, columns: dict[str, Any]) -> None:
    """Put an answer there, for no longer than its record lives."""
    settings = apikit_settings.idempotency
    if settings.cache is None:
        return
    kept = Kept(claim.principal, claim.fingerprint, FORMAT, **columns)
    life = min(claim.ttl, settings.cache_life)
    try:
        caches[settings.cache].add(_PREFIX + claim.scope, tuple(kept), life)
    except Exception:  # the answer has been committed already
        logger.warning("Cannot put an answer into the cache.", exc_info=True)


def forget(scope: str) -> None:
    """Take an answer out.

    Raises:
        Exception: whatever the cache raises, or RuntimeError where it says
            nothing: it may still have the answer.

    """
    alias = apikit_settings.idempotency.cache
    if alias is None:
        return
    cache, name = caches[alias], _PREFIX + scope
    cache.set(name, _GONE, _GONE_SECONDS)
    if cache.get(name) != _GONE:
        raise RuntimeError(f"The cache {alias!r} does not keep what it is given.")
