"""Classes that settings name, and what they are made of."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

__all__ = ["inherits", "is_any", "is_of_this_package", "loaded", "names_of"]


def loaded(path: Any) -> Any:
    """Give what a dotted path names; None where it leads nowhere, as Django tells."""
    if isinstance(path, type):
        return path
    try:
        return import_string(path)
    except (AttributeError, ImportError, ImproperlyConfigured):
        return None


def names_of(cls: Any) -> list[str]:
    """Name a class and its bases without importing what may not be installed."""
    return [
        f"{one.__module__}.{one.__qualname__}" for one in getattr(cls, "__mro__", ())
    ]


def is_any(cls: Any, *names: str) -> bool:
    """Tell whether a class is, or subclasses, one of that name."""
    return not set(names).isdisjoint(names_of(cls))


def is_of_this_package(cls: Any) -> bool:
    """Tell whether a class is one of ours, or subclasses one."""
    return any(name.startswith("drf_apikit.") for name in names_of(cls))


def inherits(cls: Any, *methods: str, module: str) -> bool:
    """Tell whether all of these methods are those of a module, not overridden."""
    return all(
        getattr(getattr(cls, name, None), "__module__", None) == module
        for name in methods
    )
