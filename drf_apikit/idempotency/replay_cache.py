"""Answers in a cache that all processes share: a replay without the database.

They are put there when their transaction has committed, and only read. What is
not in the cache, is lost from it, or cannot be read, is asked of the database:
it alone decides whether an operation has been done.
"""

import logging
from typing import Any, Final

from django.core.cache import caches
from django.core.cache.backends.dummy import DummyCache
from django.db import connections

from drf_apikit.conf import apikit_settings
from drf_apikit.idempotency.answers import Answer
from drf_apikit.idempotency.claims import Claim, Kept
from drf_apikit.idempotency.keys import FORMAT, digest
from drf_apikit.idempotency.sealing import is_encrypted

__all__ = ["find", "forget", "keep", "key_of"]

#: What is there for a while after an answer was taken out: whoever has committed it
#: just before may still be about to put it there.
_GONE: Final = "gone"
_GONE_SECONDS: Final = 60
logger = logging.getLogger("drf_apikit.idempotency")


def find(scope: str, alias: str) -> Kept | None:
    """Give what the cache has of a scope, if it can be read.

    Where answers are encrypted, one that is not is none of ours.
    """
    settings = apikit_settings.idempotency
    if settings.cache is None:
        return None
    try:
        found = caches[settings.cache].get(key_of(scope, alias))
        if found is None or found == _GONE:
            return None
        kept = Kept(*found)
        if settings.encryption_keys and not is_encrypted(kept.codec):
            return None
        Answer.read(kept, scope)
    except Exception:  # whatever it raises: the database knows
        logger.warning("Cannot read an answer from the cache.", exc_info=True)
        return None
    return kept


def keep(claim: Claim, columns: dict[str, Any], alias: str) -> None:
    """Put an answer there, for no longer than its record lives."""
    settings = apikit_settings.idempotency
    if settings.cache is None:
        return
    kept = Kept(claim.principal, claim.fingerprint, FORMAT, **columns)
    life = min(claim.ttl, settings.cache_life)
    try:
        caches[settings.cache].add(key_of(claim.scope, alias), tuple(kept), life)
    except Exception:  # the answer has been committed already
        logger.warning("Cannot put an answer into the cache.", exc_info=True)


def forget(scope: str, alias: str) -> None:
    """Take an answer out.

    Raises:
        Exception: whatever the cache raises, or RuntimeError where it says
            nothing: it may still have the answer.

    """
    used = apikit_settings.idempotency.cache
    if used is None:
        return
    cache, key = caches[used], key_of(scope, alias)
    if isinstance(cache, DummyCache):
        return
    cache.set(key, _GONE, _GONE_SECONDS)
    if cache.get(key) != _GONE:
        raise RuntimeError(f"The cache {used!r} does not keep what it is given.")


def key_of(scope: str, alias: str) -> str:
    """Name an answer of one database: others have scopes of the same caller.

    Two databases may go by one alias, in two deployments or for two tenants, and
    two schemas may be in one database.
    """
    connection = connections[alias]
    words = [connection.settings_dict[name] for name in ("HOST", "PORT", "NAME")]
    schema = getattr(connection, "schema_name", "")
    return f"drf_apikit:idempotency:{FORMAT}:{digest([alias, *words, schema, scope])}"
