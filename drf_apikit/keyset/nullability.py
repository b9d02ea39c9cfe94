"""Whether an expression can be NULL, as far as its parts tell."""

from typing import Any, Final

from django.db.models import Count, Exists, ExpressionWrapper, Value
from django.db.models.expressions import Col, Ref
from django.db.models.functions import (
    Coalesce,
    Collate,
    Length,
    Lower,
    LTrim,
    Reverse,
    RTrim,
    Trim,
    Upper,
)
from django.db.models.sql.constants import INNER

__all__ = ["never_null"]

_FROM_NOTHING: Final = (Count, Exists)
#: They are NULL if what they are made of is NULL, and never else.
_THROUGH: Final = (
    Collate,
    ExpressionWrapper,
    Length,
    Lower,
    LTrim,
    Ref,
    Reverse,
    RTrim,
    Trim,
    Upper,
)


def never_null(expression: Any, query: Any) -> bool:
    """Tell whether a resolved expression of `query` has a value in every row.

    False where this cannot be told: to be wrong that way costs a little, to be
    wrong the other way loses rows.
    """
    if isinstance(expression, Col):
        join = query.alias_map.get(expression.alias)
        inner = join is not None and join.join_type in {None, INNER}
        return inner and not expression.target.null
    if isinstance(expression, Value):
        return expression.value is not None
    if isinstance(expression, _FROM_NOTHING):
        return True
    parts = (never_null(part, query) for part in expression.get_source_expressions())
    if isinstance(expression, Coalesce):
        return any(parts)
    return isinstance(expression, _THROUGH) and all(parts)
