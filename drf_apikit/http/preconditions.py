"""The decision about If-Match and If-None-Match (RFC 9110 section 13.2)."""

import enum
from dataclasses import dataclass

from drf_apikit.http.etags import AnyTag, EntityTag, parse_tag_list

__all__ = ["Decision", "Preconditions", "evaluate"]


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


def evaluate(
    method: str, preconditions: Preconditions, tag: EntityTag | None
) -> Decision:
    """Decide in the order of RFC 9110 section 13.2.2.

    `tag` is that of the selected representation, None if there is none. Where
    it has two parts, `state.variant`, If-Match asks for the state alone: any
    current representation of the resource will do (section 13.1.1). A field
    that is there but malformed still counts as there: If-Match then fails, and
    If-None-Match never matches.
    """
    if preconditions.if_match is not None and not _if_match_holds(
        preconditions.if_match, tag
    ):
        return Decision.FAILED
    if preconditions.if_none_match is not None and not _if_none_match_holds(
        preconditions.if_none_match, tag
    ):
        safe = method in {"GET", "HEAD"}
        return Decision.NOT_MODIFIED if safe else Decision.FAILED
    return Decision.PROCEED


def _if_match_holds(field: str, tag: EntityTag | None) -> bool:
    """RFC 9110 section 13.1.1, with strong comparison."""
    listed = parse_tag_list(field)
    if listed is None or tag is None:
        return False
    if isinstance(listed, AnyTag):
        return True
    state = EntityTag(tag.state, weak=tag.weak)
    return any(
        EntityTag(member.state, weak=member.weak).matches_strongly(state)
        for member in listed
    )


def _if_none_match_holds(field: str, tag: EntityTag | None) -> bool:
    """RFC 9110 section 13.1.2, with weak comparison."""
    listed = parse_tag_list(field)
    if listed is None or tag is None:
        return True
    if isinstance(listed, AnyTag):
        return False
    return not any(member.matches_weakly(tag) for member in listed)
