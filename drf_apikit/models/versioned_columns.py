"""What an instance's row held when it was read or written last."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Field, Model
from django.db.models.fields.files import FieldFile

__all__ = [
    "Outcome",
    "Stored",
    "is_expression",
    "note",
    "note_as_is",
    "outcome_on",
    "remember",
    "stored_of",
]

#: Equal means the same, and nobody can change them in place.
_EXACT: Final = frozenset({str, int, bool, bytes, type(None), UUID, date, timedelta})
#: So are these, but equal ones may be written differently: -0.0, 1.50, a fold.
_INEXACT: Final = frozenset({float, Decimal, datetime, time})
_PLAIN: Final = _EXACT | _INEXACT
_NOTHING: Final = object()
#: As many fates are kept for a value, and the last one.
_FATES: Final = 3
#: Where an instance keeps it: copied and pickled with all else.
_ATTRIBUTE: Final = "_stored_columns"


class Outcome:
    """Whether what was written in a transaction is there for good."""

    def __init__(self) -> None:
        self.settled = False

    def __call__(self) -> None:
        """Be told that it is committed."""
        self.settled = True

    def __deepcopy__(self, _memo: Any) -> "Outcome":
        return self


@dataclass(frozen=True, slots=True)
class Stored:
    """The columns of one row, as far as they are known.

    It never changes, so that copies of an instance can share it. A column that
    was written in a transaction is unsettled until that is committed: if it is
    rolled back instead, the column has to be written again.
    """

    alias: str | None
    pk: Any
    values: Mapping[str, Any]
    #: By attribute: the fates of those who have written this value.
    unsettled: Mapping[str, tuple[Outcome, ...]] = field(default_factory=dict)

    @classmethod
    def loaded(cls, alias: str | None, pk: Any, columns: Iterable[Any]) -> "Stored":
        """Keep what was read: pairs of attribute and value."""
        # Each row of a list comes by: most values need no call.
        values = {
            name: value if type(value) in _PLAIN else _kept(value)
            for name, value in columns
        }
        return cls(alias, pk, values)

    def is_of(self, alias: str | None, pk: Any) -> bool:
        """Tell whether this is that row."""
        return pk is not None and (self.alias, self.pk) == (alias, pk)

    def continues(self, alias: str | None, pk: Any) -> bool:
        """Tell whether this may be the beginning of that row: its parents' tables."""
        return self.alias == alias and self.pk in {None, pk}

    def differs(self, of: "Field[Any, Any]", value: Any) -> bool:
        """Tell whether a column has to be written.

        When in doubt it has to: an unknown type that does not say when two of
        it are equal is written each time, as Django does.
        """
        name = of.attname
        if is_expression(value) or self._is_unsettled(name):
            return True
        stored = self.values.get(name, _NOTHING)
        if isinstance(value, FieldFile):
            value = value.name
        return not (
            _same(stored, _seen(value))
            or _same(stored, _seen(of.get_prep_value(value)))
        )

    def refreshed(self, columns: Mapping[str, Any]) -> "Stored":
        """Add what has just been read."""
        return replace(
            self,
            values={**self.values, **_all_kept(columns)},
            unsettled={k: v for k, v in self.unsettled.items() if k not in columns},
        )

    def written(self, columns: Mapping[str, Any], outcome: Outcome) -> "Stored":
        """Add what has just been written; of an expression nobody knows the value."""
        known = {k: v for k, v in columns.items() if not is_expression(v)}
        values = {k: v for k, v in self.values.items() if k not in columns}
        values.update(_all_kept(known))
        fates = {
            name: made
            for name, made in self.unsettled.items()
            if name not in columns and self._is_unsettled(name)
        }
        if not outcome.settled:
            fates.update({name: self._fates(name, values, outcome) for name in columns})
        return replace(self, values=values, unsettled=fates)

    def _fates(
        self, name: str, values: Mapping[str, Any], outcome: Outcome
    ) -> tuple[Outcome, ...]:
        """Keep who else has written this very value: any of them will do.

        Not all of them, in a long transaction: at worst it is written once more.
        """
        before = self.unsettled.get(name, ())
        again = _same(self.values.get(name, _NOTHING), values.get(name))
        return (*before[:_FATES], outcome) if again else (outcome,)

    def _is_unsettled(self, name: str) -> bool:
        made = self.unsettled.get(name)
        return made is not None and not any(outcome.settled for outcome in made)


def is_expression(value: Any) -> bool:
    """Tell whether the database makes the value: `F("price") + 1`."""
    return hasattr(value, "resolve_expression")


def outcome_on(alias: str) -> Outcome:
    """Give the fate of what is written now: settled at once without a transaction."""
    outcome = Outcome()
    by_hand = not transaction.get_autocommit(using=alias)
    if not by_hand or transaction.get_connection(alias).in_atomic_block:
        transaction.on_commit(outcome, using=alias)
    return outcome


def stored_of(instance: Model) -> Stored | None:
    """Give what is known about the row of an instance."""
    stored: Stored | None = vars(instance).get(_ATTRIBUTE)
    return stored


def remember(instance: Model, stored: Stored) -> None:
    """Replace what is known about the row of an instance."""
    vars(instance)[_ATTRIBUTE] = stored


def note(
    instance: Model, alias: str, columns: Mapping[str, Any], outcome: Outcome
) -> None:
    """Add what has been written of an instance."""
    pk = columns.get(instance._meta.pk.attname, instance.pk)
    stored = stored_of(instance)
    if stored is None or not stored.continues(alias, pk):
        stored = Stored(alias, pk, {})
    remember(instance, replace(stored.written(columns, outcome), pk=pk))


def note_as_is(
    instance: Model, alias: str, names: Iterable[str], outcome: Outcome
) -> None:
    """Add that some attributes have been written as the instance has them."""
    values = vars(instance)
    columns = {name: values[name] for name in names if name in values}
    note(instance, alias, columns, outcome)


def _all_kept(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _kept(value) for name, value in columns.items()}


def _kept(value: Any) -> Any:
    """Give what stays as it is, whatever happens to the value."""
    if type(value) in _PLAIN:
        return value
    return _seen(value.name if isinstance(value, FieldFile) else value, keep=True)


def _seen(value: Any, *, keep: bool = False) -> Any:
    """Take a value apart so that it can be compared, plain ones excepted.

    In a loop, not by recursion: a client decides how deep a JSON value is.
    """
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    if type(value) in _PLAIN:
        return value
    parts: list[Any] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        kind = type(item)
        parts.append(kind)
        if kind in {dict, list, tuple}:
            parts.append(len(item))
            waiting.extend(item)
            waiting.extend(item.values() if kind is dict else ())
        elif kind in _PLAIN:
            parts.append(repr(item) if kind in _INEXACT else item)
        else:
            parts.append(deepcopy(item) if keep else item)
    return tuple(parts)


def _same(stored: Any, value: Any) -> bool:
    if type(stored) is not type(value):
        return False
    if type(stored) in _INEXACT:
        return repr(stored) == repr(value)
    return bool(stored == value)
