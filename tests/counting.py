"""A hook that records what it is told, for the tests of what is counted."""

from typing import Any, Final

from pytest_django import Settings

__all__ = ["Counted", "failing", "note", "of_block", "recorded"]

#: Events with their labels, in the order of their calls.
Counted = list[tuple[str, dict[str, str]]]

_CALLS: Final[Counted] = []


def note(event: str, labels: dict[str, str]) -> None:
    """Be the hook."""
    _CALLS.append((event, labels))


def failing(event: str, _labels: dict[str, str]) -> None:
    """Be a hook that is broken."""
    raise LookupError(event)


def recorded(settings: Settings, **sections: Any) -> Counted:
    """Name the hook in the settings, beside these sections; give what it is told."""
    _CALLS.clear()
    metrics = {"COUNTER": f"{__name__}.{note.__name__}"}
    settings.DRF_APIKIT = {**settings.DRF_APIKIT, **sections, "METRICS": metrics}
    return _CALLS


def of_block(block: str, counted: Counted) -> Counted:
    """Give what one block has counted."""
    return [(event, labels) for event, labels in counted if event.startswith(block)]
