"""GET and HEAD: 304 where the client has it already, validators where not."""

import logging
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from django.core.exceptions import (
    MultipleObjectsReturned,
    ObjectDoesNotExist,
    PermissionDenied,
)
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseNotModified
from rest_framework.exceptions import APIException

from drf_apikit.conditional.conditions import conditions_of
from drf_apikit.conditional.tags import (
    body_of,
    digest,
    is_genuine,
    representation_of,
    with_body,
)
from drf_apikit.conf import apikit_settings
from drf_apikit.counters import count
from drf_apikit.exceptions import PreconditionFailed
from drf_apikit.handlers import Call, Proceed
from drf_apikit.http.etags import EntityTag, parse_tag_list
from drf_apikit.http.preconditions import (
    Decision,
    Selected,
    evaluate,
    find_match,
)
from drf_apikit.signals import validator_found_stale

if TYPE_CHECKING:
    from drf_apikit.conditional.get import ConditionalGetMixin

__all__ = ["body_digest", "decide", "read"]

logger = logging.getLogger("drf_apikit.conditional")

#: What describes the content that a 304 does not have (RFC 9110 section 15.4.5).
_OF_CONTENT: Final = (
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Range",
    "Content-Type",
)
#: What finding an object raises where the view does not find it, or in another way.
_NO_OBJECT: Final = (
    APIException,
    AssertionError,
    Http404,
    MultipleObjectsReturned,
    ObjectDoesNotExist,
    PermissionDenied,
)
#: One in so many is how finely the rate of samples is told.
_FINE: Final = 1_000_000


def read(view: "ConditionalGetMixin", call: Call, proceed: Proceed) -> HttpResponseBase:
    """Compare before the answer is made, where that is possible, or after."""
    before = view.reading.before(view)
    if before is None:
        _note_state(view)
    elif view.is_asked:
        unmodified = _unmodified(view, call, proceed, view.selected(before))
        if unmodified is not None:
            return unmodified
    response = proceed()
    if response.status_code != 200:
        return response
    tag = None if "ETag" in response else view.reading.after(view, before)
    if tag is None:
        return _judge_bytes(view, call, response)
    selected = view.selected(tag)
    if _records():
        response, selected = _with_body(call, response, selected)
    if _judge(call, selected) is Decision.NOT_MODIFIED and _is_whole(response):
        response = _empty(call.finish(response))
    return view.set_validators(response, selected)


def _note_state(view: "ConditionalGetMixin") -> None:
    """Note the state of the object, where writes to the same URL compare it.

    Before the handler, which may change it. Whether there is an object at all is
    the handler's to say.
    """
    if view.is_detail and view.is_writable:
        with suppress(*_NO_OBJECT):
            row = view.hold_object()
            view.held_state = view.row_validator_of(type(row)).state(row)


def decide(call: Call, selected: Selected | None) -> Decision:
    """Decide about the conditions of a request (RFC 9110 section 13.2.2)."""
    return evaluate(
        str(call.request.method),
        conditions_of(call.request),
        selected,
        now=datetime.now(UTC),
        accept_weak=apikit_settings.conditional.accept_weak_if_match,
    )


def body_digest(response: HttpResponse) -> str:
    """Give a digest of the bytes, and of what says how to read them."""
    return digest([response.get("Content-Type", ""), response.content])


def _judge(call: Call, selected: Selected) -> Decision:
    """Decide; a failed precondition is raised as 412 with the current tag."""
    decision = decide(call, selected)
    if decision is Decision.FAILED:
        raise PreconditionFailed(headers={"ETag": str(selected.tag)})
    return decision


def _unmodified(
    view: "ConditionalGetMixin", call: Call, proceed: Proceed, selected: Selected
) -> HttpResponseBase | None:
    """Answer 304 without an answer; for a sample, find out whether that is right.

    None where that takes an answer: `*` does not say whether a page is there at
    all, or would be refused, and a tag that was made up says nothing.
    """
    if decide(call, selected) is not Decision.NOT_MODIFIED:
        return None
    field = conditions_of(call.request).if_none_match
    known = None if field is None else find_match(field, selected.tag)
    if known is None:
        if field is not None or not view.is_detail:
            return None
        return view.set_validators(HttpResponseNotModified(), selected)
    if body_of(known):
        if not is_genuine(known):
            return None
        if _sampling():
            return _verify(view, call, proceed, known, selected.tag)
    same = Selected(EntityTag(known.opaque), selected.modified)
    return view.set_validators(HttpResponseNotModified(), same)


def _verify(
    view: "ConditionalGetMixin",
    call: Call,
    proceed: Proceed,
    known: EntityTag,
    told: EntityTag,
) -> HttpResponseBase:
    """Make the answer all the same, and compare it with what the client has."""
    response = call.finish(proceed())
    if not _is_whole(response) or "ETag" in response:
        return response
    tag = with_body(representation_of(known), body_digest(response))
    fresh = view.selected(tag)
    if fresh.tag.opaque == known.opaque:
        return view.set_validators(_empty(response), fresh)
    # What was written since the comparison is no fault of the validator.
    if _is_still(view, told):
        logger.error(
            "%s answers otherwise than its validator says: a 304 would be stale.",
            type(view).__qualname__,
        )
        count("conditional.validator_found_stale")
        validator_found_stale.send_robust(
            sender=type(view), request=call.request, tag=known
        )
    return view.set_validators(response, fresh)


def _is_still(view: "ConditionalGetMixin", told: EntityTag) -> bool:
    try:
        return view.read_again() == told
    except _NO_OBJECT:
        return False


def _judge_bytes(
    view: "ConditionalGetMixin", call: Call, response: HttpResponseBase
) -> HttpResponseBase:
    """Decide by the bytes, where nothing cheaper is known."""
    response = call.finish(response)
    if "ETag" in response:
        return _judge_own(view, call, response)
    if not _is_whole(response):
        return response
    tag = view.body_tag(response)
    return _judge_whole(view, call, response, view.selected(tag))


def _judge_own(
    view: "ConditionalGetMixin", call: Call, response: HttpResponseBase
) -> HttpResponseBase:
    """Decide by the tag that the view has made itself."""
    listed = parse_tag_list(response["ETag"])
    if not _is_whole(response) or not isinstance(listed, tuple):
        return response
    return _judge_whole(view, call, response, Selected(listed[0], is_foreign=True))


def _judge_whole(
    view: "ConditionalGetMixin", call: Call, response: HttpResponse, selected: Selected
) -> HttpResponseBase:
    if _judge(call, selected) is Decision.NOT_MODIFIED:
        _empty(response)
    return view.set_validators(response, selected)


def _with_body(
    call: Call, response: HttpResponseBase, selected: Selected
) -> tuple[HttpResponseBase, Selected]:
    """Add to the tag by what a later 304 can be verified."""
    response = call.finish(response)
    if not _is_whole(response):
        return response, selected
    tag = with_body(selected.tag.opaque, body_digest(response))
    return response, Selected(tag, selected.modified)


def _empty(response: Any) -> Any:
    """Make a finished response a 304; what is not about its content stays."""
    response.status_code = 304
    response.content = b""
    for name in _OF_CONTENT:
        response.headers.pop(name, None)
    return response


def _is_whole(response: HttpResponseBase) -> TypeGuard[HttpResponse]:
    """Tell an answer of known bytes from a stream and from a refusal."""
    return isinstance(response, HttpResponse) and response.status_code == 200


def _records() -> bool:
    """Tell whether tags get what samples are verified by: all or none of them."""
    return apikit_settings.conditional.verify_sample_rate > 0


def _sampling() -> bool:
    rate = apikit_settings.conditional.verify_sample_rate
    return secrets.randbelow(_FINE) < rate * _FINE
