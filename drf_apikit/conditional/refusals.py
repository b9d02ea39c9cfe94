"""412, 428 and 409: what a write is refused with."""

from typing import TYPE_CHECKING, Final

from django.db.models import Model

from drf_apikit.conditional.conditions import conditions_of
from drf_apikit.conditional.reads import decide
from drf_apikit.conditional.tags import join
from drf_apikit.conf import apikit_settings
from drf_apikit.exceptions import (
    EditConflict,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
)
from drf_apikit.handlers import Call
from drf_apikit.http.preconditions import Decision, Selected

if TYPE_CHECKING:
    from drf_apikit.conditional.mixins import ConditionalMixin

__all__ = ["WRITES", "is_required", "lost", "require", "verdict"]

WRITES: Final = frozenset({"PUT", "PATCH", "DELETE"})


def is_required(view: "ConditionalMixin", call: Call) -> bool:
    """Tell whether this write needs a condition."""
    required = view.require_preconditions
    if required is None:
        required = apikit_settings.conditional.require_preconditions
    if isinstance(required, bool):
        return required and call.request.method in WRITES
    return call.request.method in required or getattr(view, "action", "") in required


def require(view: "ConditionalMixin", call: Call, row: Model | None) -> None:
    """Refuse a write that has to say what it was made for.

    Raises:
        PreconditionRequired: RFC 6585 section 3, with the current tag.

    """
    if not is_required(view, call):
        return
    sent = conditions_of(call.request)
    enough = {sent.if_match}
    if row is None:
        enough.add(sent.if_none_match)
    elif view.last_modified(row) is not None:
        enough.add(sent.if_unmodified_since)
    if enough == {None}:
        raise PreconditionRequired(headers=_current(view, row))


def verdict(view: "ConditionalMixin", call: Call, row: Model | None) -> None:
    """Refuse a write whose conditions do not hold.

    Raises:
        PreconditionFailed: RFC 9110 section 15.5.13, with the current tag.

    """
    if not view.is_asked:
        return
    selected = None
    if row is not None:
        # Only If-None-Match asks for more than the state.
        whole = conditions_of(call.request).if_none_match is not None
        tag = (
            view.row_tag(row)
            if whole
            else join(view.row_validator_of(type(row)).state(row))
        )
        selected = Selected(tag, view.last_modified(row))
    if decide(call, selected) is Decision.FAILED:
        raise PreconditionFailed(headers=_current(view, row))


def lost(view: "ConditionalMixin") -> Problem:
    """Say that others were faster: as 412 where there was a condition to hold."""
    if view.is_asked:
        return PreconditionFailed()
    return EditConflict(headers={"Retry-After": "1"})


def _current(view: "ConditionalMixin", row: Model | None) -> dict[str, str]:
    return {} if row is None else {"ETag": str(view.row_tag(row))}
