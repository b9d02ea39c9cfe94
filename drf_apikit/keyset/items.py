"""What may stand in `order_by()`, read."""

from dataclasses import dataclass, replace
from typing import Any

from django.db.models import F
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import BaseExpression, OrderBy

from drf_apikit.keyset.errors import OrderingError

__all__ = ["Item", "below", "items_of", "read_item", "turned"]


@dataclass(frozen=True, slots=True)
class Item:
    """A name or an expression, a direction, and a place for NULL or None.

    `column`: a relation is its own column, as in F(), not what its model is
    ordered by.
    """

    target: Any
    descending: bool = False
    nulls_last: bool | None = None
    column: bool = False

    def within(self, outer: "Item") -> "Item":
        """Give the item as a part of another one, which may turn it round."""
        nulls_last = outer.nulls_last
        if self.nulls_last is not None:
            nulls_last = self.nulls_last != outer.descending
        return Item(self.target, self.descending != outer.descending, nulls_last)


def items_of(ordering: Any) -> tuple[Any, ...]:
    """Take one item or several; a name that comes again cannot order any more."""
    several = ordering if isinstance(ordering, list | tuple) else (ordering,)
    # By key, since the client decides how many names there are.
    found = {item if isinstance(item, str) else id(item): item for item in several}
    return tuple(found.values())


def read_item(given: Any) -> Item:
    """Read one item.

    Raises:
        OrderingError: nothing that `order_by()` takes, or random order.

    """
    if isinstance(given, OrderBy):
        nulls_last = True if given.nulls_last else False if given.nulls_first else None
        inner = read_item(given.expression)
        if inner.nulls_last is not None or inner.descending:
            raise OrderingError(f"{given!r} has two directions")
        return replace(inner, descending=given.descending, nulls_last=nulls_last)
    if isinstance(given, F):
        name: Any = vars(given)["name"]
        return Item(name, column=True)
    if isinstance(given, str) and given.lstrip("+-"):
        if given == "?":
            raise OrderingError("a random ordering has no positions")
        return Item(given.lstrip("+-"), given.startswith("-"))
    if isinstance(given, BaseExpression):
        return Item(given)
    raise OrderingError(f"{given!r} is no name of a column")


def below(relation: str, given: Any) -> Any:
    """Give an item of a related model's ordering as seen from here."""
    prefix = f"{relation}{LOOKUP_SEP}"
    if isinstance(given, str):
        return f"-{prefix}{given[1:]}" if given.startswith("-") else prefix + given
    ordering = given if isinstance(given, OrderBy) else given.asc()
    return ordering.prefix_references(prefix)


def turned(given: Any) -> Any:
    """Give an item in the other direction."""
    if isinstance(given, str):
        return given[1:] if given.startswith("-") else f"-{given}"
    other = (given if isinstance(given, OrderBy) else given.asc()).copy()
    other.reverse_ordering()
    return other
