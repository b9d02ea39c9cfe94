"""What can be said of one protected operation."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpResponseBase
from rest_framework.request import Request

__all__ = ["Options", "of_actions"]

#: The bounds of the settings.
_NUMBERS: Final = (
    ("ttl", 60, 366 * 24 * 60 * 60),
    ("max_body", 0, 64 * 1024 * 1024),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The arguments of `idempotent`; None is what the settings say.

    Raises:
        TypeError: a value of another type.
        ValueError: a number out of range.

    """

    required: bool | None = None
    using: str | None = None
    ttl: int | None = None
    key_scope: Callable[[Request], str | None] | None = None
    fingerprint: Callable[[Request], Any] | None = None
    max_body: int | None = None
    rollback_on: Callable[[HttpResponseBase], bool] | None = None

    def __post_init__(self) -> None:
        _expect("required", self.required, bool)
        _expect("using", self.using, str)
        for name, least, most in _NUMBERS:
            number = getattr(self, name)
            _expect(name, number, int)
            if number is not None and not (
                type(number) is int and least <= number <= most
            ):
                raise ValueError(f"{name} must be a whole number, {least} to {most}")
        for name in ("key_scope", "fingerprint", "rollback_on"):
            hook = getattr(self, name)
            if hook is not None and not callable(hook):
                raise TypeError(f"{name} must be a function, not {hook!r}")


def of_actions(
    declared: Collection[str] | Mapping[str, Mapping[str, Any]],
) -> Mapping[str, Options]:
    """Read `idempotent_actions`: names, or options by name.

    Raises:
        TypeError: one string, of which each letter would be a name; or what
            `Options` raises.

    """
    if isinstance(declared, str):
        raise TypeError(f"idempotent_actions is {declared!r}, not a list of names")
    if isinstance(declared, Mapping):
        return {name: Options(**options) for name, options in declared.items()}
    return dict.fromkeys(declared, Options())


def _expect(name: str, value: object, kind: type) -> None:
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{name} must be of {kind.__name__}, not {value!r}")
