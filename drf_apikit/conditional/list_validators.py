"""What tells that a list is still what a client has seen."""

import json
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from django.core.exceptions import FieldError
from django.db.models import BigIntegerField, Count, F, Model, QuerySet, Sum, Value
from django.db.models.functions import Cast, Coalesce
from django.db.models.query import ModelIterable
from rest_framework.utils.encoders import JSONEncoder

from drf_apikit.conditional.raw_pages import RawPage
from drf_apikit.conditional.rows import values_of
from drf_apikit.conditional.tags import FORMAT, digest
from drf_apikit.conditional.validators import Validator
from drf_apikit.http.etags import EntityTag

if TYPE_CHECKING:
    from drf_apikit.conditional.get import ConditionalGetMixin
    from drf_apikit.conditional.holding import Listed

__all__ = ["Aggregate", "PageDigest"]

logger = logging.getLogger("drf_apikit.conditional")

#: What code of a project raises that meets other rows than it expects.
_ODD: Final = (
    AssertionError,
    AttributeError,
    FieldError,
    LookupError,
    TypeError,
    ValueError,
)
#: Primes below 2**31: products of two numbers below them fit into 64 bits.
_MODULUS: Final = 2_147_483_647
_OTHER_MODULUS: Final = 2_147_483_629
_FACTOR: Final = 1_103_515_245


class PageDigest(Validator):
    """Key and version of the rows of the page, and its envelope.

    `columns` are what moves with each change of a row. None: the version of a
    `VersionedModel`, else all columns. A comparison costs the queries of the page,
    one more for each many-to-many path, but reads only these columns and makes no
    answer.
    """

    records_rows = True

    def __init__(self, *columns: str) -> None:
        self.given = columns

    def before(self, view: "ConditionalGetMixin", /) -> EntityTag | None:
        """Read the page as the answer would, narrowed to what is compared.

        What a view's own paginator makes of such rows nobody knows: then the
        answer itself is compared.
        """
        try:
            return self._before(view)
        except _ODD:
            logger.debug("%s is compared afterwards", type(view), exc_info=True)
            view.listed = None
            return None

    def columns(self, model: type[Model]) -> tuple[str, ...]:
        """Name the given columns, or the usual ones."""
        return self.given or super().columns(model)

    def _before(self, view: "ConditionalGetMixin") -> EntityTag | None:
        rows = view.filter_queryset(view.get_queryset()) if view.is_asked else None
        if not _is_plain(rows):
            return None
        columns, ordering = self.columns(rows.model), _ordering_columns(view, rows)
        page = RawPage.of(rows, columns, view.dependencies)
        if page is None:
            narrow = view.dependencies.narrow(rows, [*columns, *ordering])
            view.paginate_queryset(narrow)
            return self.after(view, None)
        view.paginate_queryset(page.query(ordering))
        listed, view.listed = view.listed, None
        if listed is None:
            return None
        return _page_tag(view, page.states(listed.rows), _envelope(view, listed))

    def after(
        self, view: "ConditionalGetMixin", _before: EntityTag | None, /
    ) -> EntityTag | None:
        """Take the very rows that were listed."""
        listed, view.listed = view.listed, None
        if listed is None or not all(isinstance(row, Model) for row in listed.rows):
            return None
        if not view.dependencies.are_whole(listed.rows):
            return None
        try:
            envelope = _envelope(view, listed)
        except _ODD:
            # It is made of the rows: then the bytes tell.
            return None
        related = view.dependencies.states
        rows = (
            (values_of(row, self.columns(type(row))), related(row))
            for row in listed.rows
        )
        return _page_tag(view, rows, envelope)


class Aggregate(Validator):
    """One number made of key and version of all rows that the filters let through.

    `column` is a whole number that moves with each change of a row, and so must
    the key be a whole number. One query without rows, which reads every row: for
    lists of some thousands whose pages are expensive. Of `depends_on` it can take
    foreign keys to versioned models.
    """

    def __init__(self, column: str = "version") -> None:
        self.column = column

    def before(self, view: "ConditionalGetMixin", /) -> EntityTag | None:
        """Ask the database, asked or not: before the rows are read."""
        rows = view.filter_queryset(view.get_queryset())
        related = view.dependencies.versions(rows.model) if _is_plain(rows) else None
        if related is None:
            return None
        mixed = _mix(["pk", self.column, *related])
        found = rows.order_by().aggregate(rows=Count("pk"), mixed=Sum(mixed))
        state = digest([found["rows"], found["mixed"]])
        return view.make_tag(f"{FORMAT}-{state}")

    def after(
        self, _view: "ConditionalGetMixin", before: EntityTag | None, /
    ) -> EntityTag | None:
        """Keep to what was asked before."""
        return before


def _mix(names: Sequence[str]) -> Any:
    """Mix columns into one number, so that sums of it tell sets of rows apart.

    A sum of the plain columns would be the same for two rows that have changed
    places; the square is not linear.
    """
    mixed: Any = Cast(Value(1), BigIntegerField())
    for name in names:
        value = Coalesce(Cast(F(name), BigIntegerField()), -1) % _MODULUS
        mixed = (mixed * _FACTOR + value) % _MODULUS
    return (mixed * mixed) % _OTHER_MODULUS


def _is_plain(rows: Any) -> TypeGuard[QuerySet[Any]]:
    """Tell rows whose columns can be chosen from unions, slices and values."""
    if not isinstance(rows, QuerySet):
        return False
    query = rows.query
    plain = issubclass(rows._iterable_class, ModelIterable)
    return plain and not (query.combinator or query.is_sliced)


def _ordering_columns(view: "ConditionalGetMixin", rows: QuerySet[Any]) -> list[str]:
    """Name the columns that a paginator reads of each row, as far as they are plain."""
    ways = getattr(view.paginator, "get_ordering", None)
    ordering = ways(view.request, rows, view) if callable(ways) else ()
    given = rows.query.order_by or (rows.model._meta.ordering or ())
    items = [getattr(item, "expression", item) for item in (*ordering, *given)]
    names = {str(getattr(item, "name", item)).lstrip("-+") for item in items}
    own = {field.name for field in rows.model._meta.concrete_fields}
    return sorted(names & own)


def _page_tag(
    view: "ConditionalGetMixin", states: Iterable[Any], envelope: str
) -> EntityTag:
    return view.make_tag(f"{FORMAT}-{digest([envelope, list(states)])}")


def _envelope(view: "ConditionalGetMixin", listed: "Listed") -> str:
    """Give what the page says about itself: the total, and the links."""
    if not listed.is_page:
        return ""
    return json.dumps(view.get_paginated_response([]).data, cls=JSONEncoder)
