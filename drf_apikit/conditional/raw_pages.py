"""Pages as plain values: what a comparison reads, without making any instance."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from django.db.models import Prefetch, QuerySet
from django.db.models.constants import LOOKUP_SEP

from drf_apikit.conditional.dependencies import (
    Dependencies,
    follow,
    joined_columns,
)
from drf_apikit.conditional.rows import columns_of, plain

__all__ = ["RawPage"]

#: A row of the page, as `QuerySet.values()` gives it.
Row = Mapping[str, Any]
#: Finds the states of the rows that a row of the page is related to.
Lookup = Callable[[Row], Iterable[str]]


class _Related(Protocol):
    """A path to related rows, planned."""

    def columns(self) -> Sequence[str]:
        """Name what the query of the page has to bring along."""

    def load(self, keys: Sequence[Any], alias: str) -> Lookup:
        """Read what it does not bring, for the rows of these keys."""


class RawPage:
    """The rows of a page with their related rows, as `Dependencies` would give them.

    Of what one row leads to, the columns are joined. What a row has many of is one
    query for each path, and many-to-many relations are two.
    """

    def __init__(
        self, rows: QuerySet[Any], columns: Sequence[str], related: list[_Related]
    ) -> None:
        self.rows = rows
        self.columns = tuple(columns)
        self.related = related

    @classmethod
    def of(
        cls, rows: Any, columns: Sequence[str], dependencies: Dependencies
    ) -> Self | None:
        """Plan the queries; None where only instances can tell.

        So it is where the view fetches related rows in its own way, and on paths
        that lead through several rows.
        """
        own = {
            lookup.prefetch_through
            for lookup in rows._prefetch_related_lookups
            if isinstance(lookup, Prefetch)
        }
        related = [
            None if path in own else _plan(rows.model, path)
            for path in dependencies.paths
        ]
        planned = [each for each in related if each is not None]
        return cls(rows, columns, planned) if len(planned) == len(related) else None

    def query(self, ordering: Iterable[str]) -> QuerySet[Any, Any]:
        """Give the same rows as dicts with all that is needed, and little else."""
        names = {"pk", *self.columns, *ordering}
        names.update(name for each in self.related for name in each.columns())
        plainly = self.rows.select_related(None).prefetch_related(None)
        return plainly.values(*sorted(names))

    def states(self, page: Sequence[Row]) -> Iterator[Any]:
        """Give each row as `PageDigest` gives an instance."""
        keys = [row["pk"] for row in page]
        lookups = [each.load(keys, self.rows.db) for each in self.related]
        label = self.rows.model._meta.label_lower
        for row in page:
            values = (plain(row[name]) for name in ("pk", *self.columns))
            yield (label, *values), [sorted(lookup(row)) for lookup in lookups]


@dataclass(frozen=True, slots=True)
class _Joined:
    """What one row leads to: its key and columns, joined."""

    label: str
    key: str
    names: tuple[str, ...]

    def columns(self) -> Sequence[str]:
        return (self.key, *self.names)

    def load(self, _keys: Sequence[Any], _alias: str) -> Lookup:
        return self._read

    def _read(self, row: Row) -> list[str]:
        if row[self.key] is None:
            return []
        return [_state(self.label, [row[name] for name in self.columns()])]


@dataclass(frozen=True, slots=True)
class _Reverse:
    """The rows whose foreign key leads to a row."""

    model: Any
    name: str

    def columns(self) -> Sequence[str]:
        return ()

    def load(self, keys: Sequence[Any], alias: str) -> Lookup:
        rows = self.model._default_manager.using(alias)
        rows = rows.filter(**{f"{self.name}__in": keys}).order_by()
        found: defaultdict[Any, list[str]] = defaultdict(list)
        for key, *values in rows.values_list(self.name, *_columns(self.model)):
            found[key].append(_state(self.model._meta.label_lower, values))
        return lambda row: found[row["pk"]]


@dataclass(frozen=True, slots=True)
class _Linked:
    """The rows that a table of pairs leads to: few of them, often, in many pairs."""

    model: Any
    pairs: Any
    ours: str
    theirs: str

    def columns(self) -> Sequence[str]:
        return ()

    def load(self, keys: Sequence[Any], alias: str) -> Lookup:
        pairs = self.pairs._base_manager.using(alias).order_by()
        pairs = pairs.filter(**{f"{self.ours}__in": keys})
        found: defaultdict[Any, list[Any]] = defaultdict(list)
        for ours, theirs in pairs.values_list(self.ours, self.theirs):
            found[ours].append(theirs)
        wanted = {each for listed in found.values() for each in listed}
        rows = self.model._default_manager.using(alias).order_by()
        rows = rows.filter(pk__in=wanted).values_list(*_columns(self.model))
        states = {
            values[0]: _state(self.model._meta.label_lower, values) for values in rows
        }
        # A manager may hide some.
        return lambda row: (states[each] for each in found[row["pk"]] if each in states)


def _plan(model: Any, path: str) -> _Related | None:
    """Choose how to read what is at the end of a path."""
    steps = list(follow(model, path))
    field, last = steps[-1]
    if joined := joined_columns(model, path):
        key, *names = joined[len(steps) - 1 :]
        return _Joined(last._meta.label_lower, key, tuple(names))
    if LOOKUP_SEP in path or last is None or field.one_to_one:
        return None
    if field.many_to_many:
        return _plan_pairs(field, last)
    # Neither a generic relation nor a key to another column is matched by our key.
    other: Any = getattr(field, "field", None)
    fits = other is not None and other.target_field.primary_key
    return _Reverse(last, other.name) if fits else None


def _plan_pairs(field: Any, model: Any) -> _Related | None:
    relation = field.field if field.auto_created else field
    names = [relation.m2m_field_name(), relation.m2m_reverse_field_name()]
    pairs = relation.remote_field.through
    ours, theirs = reversed(names) if field.auto_created else names
    ends = [pairs._meta.get_field(name) for name in names]
    if not all(end.target_field.primary_key for end in ends):
        return None
    return _Linked(model, pairs, ours, theirs)


def _columns(model: Any) -> tuple[str, ...]:
    return ("pk", *columns_of(model))


def _state(label: str, values: Iterable[Any]) -> str:
    return repr((label, *map(plain, values)))
