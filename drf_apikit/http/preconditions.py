"""The decision about a request's preconditions (RFC 9110 section 13.2)."""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from drf_apikit.http.dates import parse_http_date
from drf_apikit.http.etags import AnyTag, EntityTag, parse_tag_list

__all__ = ["Decision", "Preconditions", "Selected", "evaluate", "find_match"]

_READS: Final = frozenset({"GET", "HEAD"})
#: They neither select a representation nor change one (section 13.2.1).
_UNCONDITIONAL: Final = frozenset({"CONNECT", "OPTIONS", "TRACE"})


class Decision(enum.Enum):
    """What a request's preconditions ask the server to do."""

    PROCEED = "proceed"
    NOT_MODIFIED = "not modified"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The conditional fields of one request; None where a field is absent.

    A field that came in several lines is given as one value, joined by commas
    (RFC 9110 section 5.2).
    """

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_unmodified_since: str | None = None


@dataclass(frozen=True, slots=True)
class Selected:
    """What the server knows of the selected representation.

    `modified` is an aware datetime, None where there is no modification date.
    It may have a fraction of a second, which then counts as a whole one: of two
    changes within a second, a date cannot tell that the second was missed.
    """

    tag: EntityTag
    modified: datetime | None = None
    #: Whether the tag is somebody else's, whose parts mean nothing to us.
    is_foreign: bool = False


def evaluate(
    method: str,
    preconditions: Preconditions,
    selected: Selected | None,
    *,
    now: datetime,
    accept_weak: bool = False,
) -> Decision:
    """Decide in the order of RFC 9110 section 13.2.2.

    `selected` is None where there is no current representation, and `now` is
    what dates with a year of two digits are read by. Any field that is there
    takes its place in the order, even if it is malformed: If-Match then fails,
    and If-None-Match never matches. Dates that are none are ignored, as the
    sections about them ask.

    Tags are `state.variant` or `state.variant.body`. If-Match asks for the
    state alone: any current representation of the resource will do (section
    13.1.1). With `accept_weak` a weak tag in it counts too, which departs from
    section 13.1.1, for the sake of tags that a compressing layer has weakened.
    """
    if method in _UNCONDITIONAL:
        return Decision.PROCEED
    if not _may_act(preconditions, selected, now, accept_weak=accept_weak):
        return Decision.FAILED
    reads = method in _READS
    if preconditions.if_none_match is not None:
        if _if_none_match_holds(preconditions.if_none_match, selected):
            return Decision.PROCEED
        return Decision.NOT_MODIFIED if reads else Decision.FAILED
    since = preconditions.if_modified_since
    if reads and _is_unmodified(since, selected, now) is True:
        return Decision.NOT_MODIFIED
    return Decision.PROCEED


def find_match(field: str, tag: EntityTag) -> EntityTag | None:
    """Find the tag listed in If-None-Match that says: the client has this.

    It is what a 304 answers with, so that a cache finds the response that it
    has stored. None for `*`, a malformed field, and where nothing matches.
    """
    listed = parse_tag_list(field)
    return _first_match(listed, tag) if isinstance(listed, tuple) else None


def _may_act(
    preconditions: Preconditions,
    selected: Selected | None,
    now: datetime,
    *,
    accept_weak: bool,
) -> bool:
    """Take steps 1 and 2: If-Match or, where that is absent, If-Unmodified-Since."""
    if preconditions.if_match is not None:
        return _if_match_holds(preconditions.if_match, selected, accept_weak)
    since = preconditions.if_unmodified_since
    return _is_unmodified(since, selected, now) is not False


def _if_match_holds(field: str, selected: Selected | None, accept_weak: bool) -> bool:
    """RFC 9110 section 13.1.1, with strong comparison of the state."""
    listed = parse_tag_list(field)
    if listed is None or selected is None:
        return False
    if isinstance(listed, AnyTag):
        return True
    if selected.tag.weak:
        return False
    tag, foreign = selected.tag, selected.is_foreign
    state = tag.opaque if foreign else tag.state
    for member in listed:
        listed_state = member.opaque if foreign else member.state
        if listed_state == state and (accept_weak or not member.weak):
            return True
    return False


def _if_none_match_holds(field: str, selected: Selected | None) -> bool:
    """RFC 9110 section 13.1.2, with weak comparison."""
    listed = parse_tag_list(field)
    if listed is None or selected is None:
        return True
    if isinstance(listed, AnyTag):
        return False
    if selected.is_foreign:
        return not any(member.matches_weakly(selected.tag) for member in listed)
    return _first_match(listed, selected.tag) is None


def _first_match(listed: tuple[EntityTag, ...], tag: EntityTag) -> EntityTag | None:
    """Compare weakly; a tag of two parts may be listed with a third one.

    The third part is a digest of the bytes, which the server does not know
    before it renders them.
    """
    body_unknown = tag.opaque.count(".") == 1
    for member in listed:
        if member.matches_weakly(tag):
            return member
        if body_unknown:
            known, _, body = member.opaque.rpartition(".")
            if body and known == tag.opaque:
                return member
    return None


def _is_unmodified(
    field: str | None, selected: Selected | None, now: datetime
) -> bool | None:
    """Compare dates; None where the condition is to be ignored.

    So it is without a valid date, and where the resource has no modification
    date (RFC 9110 sections 13.1.3 and 13.1.4); one without a current
    representation has none.
    """
    if field is None or selected is None or selected.modified is None:
        return None
    since = parse_http_date(field, now=now)
    # A field's date is a whole second: a fraction is later, as if rounded up.
    return None if since is None else selected.modified <= since
