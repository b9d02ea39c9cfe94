"""What the views of first-party tokens say of themselves.

Nothing of them is imported: their app need not be installed.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from drf_apikit.contrib.spectacular.components import Refusal
from drf_apikit.problem_types import ProblemType

__all__ = ["operation_id", "possible_problems", "refusals"]

#: The DELETE of a list stands beside that of one of its members.
_OTHERS: Final = "destroy_others"


def possible_problems(view: Any) -> tuple[ProblemType, ...]:
    """Give what a view may answer besides; of other views nothing is known."""
    return tuple(getattr(view, "possible_problems", ()))


def refusals(view: Any) -> Iterator[Refusal]:
    """Give a refusal for each status, under a name that says which kinds it is of."""
    ordered = sorted(possible_problems(view), key=lambda kind: kind.status)
    for _, several in groupby(ordered, key=lambda kind: kind.status):
        kinds = tuple(several)
        yield Refusal("".join(map(_name, kinds)), kinds)


def operation_id(view: Any, usual: str) -> str:
    """Tell the end of all sessions from the end of one."""
    is_of_others = getattr(view, "action", None) == _OTHERS
    return f"{usual}_others" if is_of_others else usual


def _name(kind: ProblemType) -> str:
    return kind.slug.title().replace("-", "")
