"""How subjects become users: what issuers and the login have in common."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drf_apikit import _setting_kinds as kinds
from drf_apikit._setting_kinds import setting

__all__ = ["UserMapping", "idle_mapping"]


def _names(value: Any) -> Mapping[str, str]:
    remedy = "a dict from values of the claim to names of groups"
    pairs = dict(kinds.mapping(remedy)(value))
    if not all(
        isinstance(text, str) and text for pair in pairs.items() for text in pair
    ):
        raise ValueError(remedy)
    return pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMapping:
    """From claims to users, groups and staff status."""

    match_verified_email: bool = setting(
        kinds.flag,
        "Whether a subject that nobody knows becomes the one user with its e-mail"
        " address, if the issuer says that it has verified it.",
        default=False,
    )
    groups_claim: str | None = setting(
        kinds.optional(kinds.text("the name of a claim, or a path such as 'a.b'")),
        "The claim with the values that `GROUPS` and `STAFF` speak of.",
        default=None,
    )
    groups: Mapping[str, str] = setting(
        _names, "From a value of that claim to the name of a Django group.", default={}
    )
    staff: frozenset[str] | None = setting(
        kinds.optional(kinds.strings("a list of values of the claim")),
        "The values of which one makes a user staff. None: nobody's status is touched.",
        default=None,
    )


def idle_mapping(settings: UserMapping) -> Iterator[tuple[str, str, str]]:
    """Find a mapping of claims that nobody names: the key, the fault, the remedy."""
    mapped = bool(settings.groups) or settings.staff is not None
    if mapped and settings.groups_claim is None:
        remedy = "Name the claim whose values GROUPS and STAFF map."
        yield "GROUPS_CLAIM", "is missing", remedy
