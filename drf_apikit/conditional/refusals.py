"""412, 428 and 409: what a write is refused with."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Model
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request

from drf_apikit.conditional.conditions import conditions_of
from drf_apikit.conditional.reads import decide
from drf_apikit.conditional.tags import join
from drf_apikit.conditional.validators import RowValidator
from drf_apikit.conf import apikit_settings
from drf_apikit.counters import count
from drf_apikit.exceptions import (
    EditConflict,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
)
from drf_apikit.handlers import Call
from drf_apikit.http.dates import parse_http_date
from drf_apikit.http.etags import EntityTag, parse_tag_list
from drf_apikit.http.preconditions import Decision, Selected

if TYPE_CHECKING:
    from drf_apikit.conditional.mixins import ConditionalMixin

__all__ = [
    "WRITES",
    "count_refusal",
    "is_required",
    "lost",
    "refuse_unjudged",
    "require",
    "verdict",
]

WRITES: Final = frozenset({"PUT", "PATCH", "DELETE"})
#: They cannot do without content.
_REPLACES: Final = frozenset({"PUT", "PATCH"})


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
    elif view.last_written(row) is not None:
        enough.add(_dated(sent.if_unmodified_since))
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
        selected = Selected(_compared(view, call, row), view.last_written(row))
    if decide(call, selected) is Decision.FAILED:
        _refuse_unreadable(call.request)
        raise PreconditionFailed(headers=_current(view, row))


def refuse_unjudged(view: "ConditionalMixin") -> None:
    """Refuse If-Match with tags on a route without an object: they cannot hold.

    Raises:
        PreconditionFailed: RFC 9110 section 13.1.1; without a tag.

    """
    field = conditions_of(view.request).if_match
    if field is not None and field.strip() != "*":
        raise PreconditionFailed


def lost(view: "ConditionalMixin") -> Problem:
    """Say that others were faster: as 412 where there was a condition to hold."""
    if view.is_asked:
        return PreconditionFailed()
    return EditConflict(headers={"Retry-After": "1"})


def count_refusal(refusal: Problem) -> None:
    """Count what a request is refused with in the end: it may be judged twice."""
    match refusal:
        case PreconditionFailed():
            count("conditional.precondition_failed")
        case PreconditionRequired():
            count("conditional.precondition_required")
        case EditConflict():
            count("conditional.edit_conflict")


def _compared(view: "ConditionalMixin", call: Call, row: Model) -> EntityTag:
    """Give the tag that the conditions are about; the state is enough for most."""
    state = join(view.row_validator_of(type(row)).state(row))
    field = conditions_of(call.request).if_none_match
    if field is None:
        return state
    if isinstance(view.get_validator(), RowValidator):
        return view.row_tag(row)
    # What the bytes decide about a read has to be decided without them here: a tag
    # of this state counts as that of what is there.
    listed = parse_tag_list(field)
    known = listed if isinstance(listed, tuple) else ()
    return next((tag for tag in known if tag.state == state.opaque), state)


def _refuse_unreadable(request: Request) -> None:
    """Answer as without conditions where the content could not be read at all.

    RFC 9110 section 13.2.1: they come after the usual checks of a request.
    """
    if request.method not in _REPLACES or not request.stream:
        return
    negotiator: Any = request.negotiator
    if negotiator.select_parser(request, request.parsers) is None:
        raise UnsupportedMediaType(request.content_type)


def _current(view: "ConditionalMixin", row: Model | None) -> dict[str, str]:
    return {} if row is None else {"ETag": str(view.row_tag(row))}


def _dated(field: str | None) -> str | None:
    """Give the field if it is a date: any other text is no condition."""
    if field is None or parse_http_date(field, now=datetime.now(UTC)) is None:
        return None
    return field
