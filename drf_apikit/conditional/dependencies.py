"""Related rows that shape an answer: `depends_on`.

A path is what `prefetch_related()` takes, such as `author` or `tags__group`. The
rows are loaded before the answer is made, so that answer and tag are of the same
ones; those that the view's own queryset has fetched are not fetched again.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import (
    Manager,
    Model,
    Prefetch,
    prefetch_related_objects,
)
from django.db.models.constants import LOOKUP_SEP

from drf_apikit.conditional.rows import columns_of, values_of
from drf_apikit.conditional.tags import digest
from drf_apikit.models import VersionedModel

__all__ = ["Dependencies", "follow", "joined_columns"]


class Dependencies:
    """The related rows along some paths."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(paths)

    def load(self, rows: Sequence[Model]) -> None:
        """Fetch what the rows do not have yet: at most a query for each path."""
        if self.paths and rows and isinstance(rows[0], Model):
            prefetch_related_objects(rows, *self.paths)

    def are_whole(self, rows: Sequence[Model]) -> bool:
        """Tell whether the related rows came with all that their states are made of.

        What is left out would be read later, when it may be another one. Of each
        path one row is looked at: the others were fetched by the same query.
        """
        found = (_first(rows, path) for path in self.paths)
        return not any(
            row.get_deferred_fields() & set(columns_of(type(row)))
            for row in found
            if row is not None
        )

    def state(self, row: Model) -> str:
        """Give a digest of the related rows; nothing where there are no paths."""
        return digest([self.states(row)]) if self.paths else ""

    def states(self, row: Model) -> list[list[str]]:
        """Give the states of the related rows by path, whatever order they come in."""
        return [sorted(map(_state, _reach(row, path))) for path in self.paths]

    def narrow(self, rows: Any, columns: Sequence[str]) -> Any:
        """Read these columns and the states of the related rows, and little else.

        What one row leads to is joined; the rest is prefetched, by the view's own
        `Prefetch` where it has one, since that may filter.
        """
        own: dict[str, Any] = {
            _name(lookup): lookup for lookup in rows._prefetch_related_lookups
        }
        plain: Any = rows.select_related(None).prefetch_related(None)
        lookups, joined = [], []
        for path in self.paths:
            names = [] if path in own else joined_columns(rows.model, path)
            if names:
                plain = plain.select_related(path)
                joined += names
            else:
                lookups.append(own.get(path) or _light(rows.model, path))
        return plain.only(*columns, *joined).prefetch_related(*lookups)

    def versions(self, model: type[Model]) -> list[str] | None:
        """Name key and version of each related row; None where one has none."""
        names: list[str] = []
        for path in self.paths:
            *_, (_field, last) = follow(model, path)
            if not joined_columns(model, path) or not issubclass(last, VersionedModel):
                return None
            names += [f"{path}__pk", f"{path}__version"]
        return names


def follow(model: Any, path: str) -> Iterator[tuple[Any, Any]]:
    """Give each relation along a path with the model that it leads to.

    Ends with None where each row says for itself where it leads (generic keys).

    Raises:
        LookupError: a name on the path is no relation of its model.

    """
    for name in path.split(LOOKUP_SEP):
        field = _relations(model).get(name)
        if field is None:
            raise LookupError(f"{model._meta.label} has no relation {name!r}")
        model = field.related_model
        yield field, model
        if model is None:
            return


def joined_columns(model: Any, path: str) -> list[str]:
    """Name the columns behind a path of foreign keys; none for other paths."""
    names: list[str] = []
    prefix = ""
    for field, related in follow(model, path):
        if related is None or not field.concrete or field.many_to_many:
            return []
        prefix += field.name + LOOKUP_SEP
        names.append(f"{prefix}{related._meta.pk.name}")
    return [*names, *(prefix + column for column in columns_of(related))]


def _light(model: Any, path: str) -> Any:
    """Fetch of the last rows only what their states are made of."""
    *_, (field, last) = follow(model, path)
    # A foreign key from the other side is what the rows are matched by.
    if last is None or not field.many_to_many:
        return path
    return Prefetch(path, last._default_manager.only(*columns_of(last)))


def _relations(model: Any) -> dict[str, Any]:
    """Give the relations of a model by the attributes that lead to them."""
    return {
        _accessor(field): field
        for field in model._meta.get_fields()
        if field.is_relation
    }


def _accessor(field: Any) -> str:
    """Name the attribute; the link to a parent's row is made for us, but a column."""
    made = field.auto_created and not field.concrete
    name: str = field.get_accessor_name() if made else field.name
    return name


def _name(lookup: Any) -> str:
    return lookup.prefetch_to if isinstance(lookup, Prefetch) else lookup


def _first(rows: Sequence[Model], path: str) -> Model | None:
    return next((each for row in rows for each in _reach(row, path)), None)


def _reach(row: Model, path: str) -> Iterator[Model]:
    name, _, rest = path.partition(LOOKUP_SEP)
    for related in _related(row, name):
        if rest:
            yield from _reach(related, rest)
        else:
            yield related


def _related(row: Model, name: str) -> list[Model]:
    fetched: Any = vars(row).get("_prefetched_objects_cache", {})
    if name in fetched:
        # What the manager would give, without a query set made for it.
        return list(fetched[name])
    try:
        value = getattr(row, name)
    except ObjectDoesNotExist:
        # The other end of a one-to-one relation may be missing.
        return []
    if isinstance(value, Manager):
        return list(value.all())
    return [] if value is None else [value]


def _state(row: Model) -> str:
    return repr(values_of(row, columns_of(type(row))))
