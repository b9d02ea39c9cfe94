"""Whether a cache is for all processes."""

from typing import Any

from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.utils.module_loading import import_string

__all__ = ["is_private"]


def is_private(backend: Any) -> bool:
    """Tell a cache that each process has for itself, or that keeps nothing."""
    try:
        return issubclass(import_string(backend), LocMemCache | DummyCache)
    except (AttributeError, ImportError, TypeError):
        # Django tells.
        return False
