"""What the views of first-party tokens say of themselves.

Nothing of them is imported: their app need not be installed.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from drf_apikit import problem_types
from drf_apikit.contrib.spectacular.components import Refusal
from drf_apikit.problem_types import ProblemType

__all__ = ["operation_id", "possible_problems", "refusals", "without_left_out"]

_CHALLENGE: Final = problem_types.INVALID_TOKEN.headers
#: The DELETE of a list stands beside that of one of its members.
_OTHERS: Final = "destroy_others"


def possible_problems(view: Any) -> tuple[ProblemType, ...]:
    """Give what a view may answer besides; of other views nothing is known."""
    return tuple(getattr(view, "possible_problems", ()))


def refusals(view: Any) -> Iterator[Refusal]:
    """Give a refusal for each status, under a name that says which kinds it is of."""
    ordered = sorted(_problems(view), key=lambda kind: kind.status)
    for _status, several in groupby(ordered, key=lambda kind: kind.status):
        kinds = tuple(several)
        yield Refusal("".join(map(_name, kinds)), kinds)


def without_left_out(serializer: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """Take what an answer may leave out from the members that must be there."""
    left_out = getattr(serializer, "left_out", ())
    if left_out and "required" in schema:
        required = [name for name in schema["required"] if name not in left_out]
        return {**schema, "required": required}
    return schema


def _problems(view: Any) -> Iterator[ProblemType]:
    kinds = possible_problems(view)
    if kinds and view.throttle_classes:
        headers = {"Retry-After": _("Seconds to wait.")}
        yield replace(problem_types.THROTTLED, headers=headers)
    for kind in kinds:
        # Each of these views says how it wants to be asked.
        yield replace(kind, headers=_CHALLENGE) if kind.status == 401 else kind


def operation_id(view: Any, usual: str) -> str:
    """Tell the end of all sessions from the end of one."""
    is_of_others = getattr(view, "action", None) == _OTHERS
    return f"{usual}_others" if is_of_others else usual


def _name(kind: ProblemType) -> str:
    return kind.slug.title().replace("-", "")
