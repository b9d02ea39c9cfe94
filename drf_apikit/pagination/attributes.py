"""What the attributes of a paginator can be, for each request and for a check."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

from django.core.exceptions import ImproperlyConfigured

from drf_apikit.keyset import STRATEGIES

__all__ = ["COUNTS", "SIZES", "Fault", "faults", "require"]

COUNTS: Final = ("count_strategy", "count_choices", "count_bound", "count_timeout")
SIZES: Final = (
    "page_size",
    "max_page_size",
    "default_limit",
    "max_limit",
    "max_offset",
)
_LEAST: Final[Mapping[str, int]] = {"count_timeout": 0, "max_offset": 0}
_WAYS: Final = ", ".join(STRATEGIES)


class Fault(NamedTuple):
    """An attribute with a value that cannot be used, and what it can be."""

    name: str
    value: Any
    remedy: str


def faults(paginator: Any, names: Collection[str] = COUNTS + SIZES) -> Iterator[Fault]:
    """Look at the attributes of a paginator, or of its class as far as they are set."""
    for name in names:
        value = getattr(paginator, name, None)
        # A property has its value in an object only.
        if value is None or hasattr(value, "__get__"):
            continue
        remedy = _remedy(name, value)
        if remedy is not None:
            yield Fault(name, value, remedy)


def require(paginator: Any, names: Collection[str]) -> None:
    """Refuse what cannot be used.

    Raises:
        ImproperlyConfigured: the first fault there is.

    """
    for name, value, remedy in faults(paginator, names):
        where = f"{type(paginator).__qualname__}.{name}"
        raise ImproperlyConfigured(f"{where} is {value!r}, and has to be {remedy}.")


def _remedy(name: str, value: Any) -> str | None:
    """Tell what the attribute can be; None if it is that."""
    if name == "count_strategy":
        return None if value in STRATEGIES else f"one of {_WAYS}"
    if name == "count_choices":
        return None if _are_ways(value) else f"a list out of {_WAYS}"
    least = _LEAST.get(name, 1)
    # True is no number of rows, though it is an `int`.
    sound = isinstance(value, int) and not isinstance(value, bool) and value >= least
    return None if sound else f"a whole number from {least}"


def _are_ways(value: Any) -> bool:
    listed = [value] if isinstance(value, str) else value
    return isinstance(listed, Collection) and all(way in STRATEGIES for way in listed)
