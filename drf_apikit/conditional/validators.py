"""What tells that an object is still what a client has seen."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from django.db.models import Model
from django.utils import timezone

from drf_apikit.conditional.tags import FORMAT, digest
from drf_apikit.models import VersionedModel

__all__ = [
    "BodyHash",
    "Generation",
    "RowDigest",
    "RowValidator",
    "UpdatedAt",
    "VersionField",
    "columns_of",
    "microseconds",
    "values_of",
]

_TICK: Final = timedelta(microseconds=1)
#: Types whose text is the same in every process.
_PLAIN: Final = (str, int, float, bytes, type(None))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RowValidator(ABC):
    """Makes the state of a row: what a writer must not have missed."""

    #: Whether the state can be compared and moved in one UPDATE.
    swaps: ClassVar[bool] = True

    @abstractmethod
    def state(self, row: Model) -> str:
        """Give the state of a row, without a dot."""

    @abstractmethod
    def columns(self, model: type[Model]) -> tuple[str, ...]:
        """Name the columns that the state is made of, besides the primary key."""

    def swap(self, row: Model, alias: str) -> bool:
        """Move the state by one step if it is still the one that was read.

        One UPDATE, which makes a transaction a writer at once: one that reads
        first cannot become a writer on SQLite once another has written, and sees
        an old snapshot under REPEATABLE READ. The database locks the row until
        the commit. The instance gets the new values.
        """
        judged = {name: getattr(row, name) for name in self.columns(type(row))}
        moved = self._moved(row)
        # What a parent's table holds is swapped there: Django would otherwise
        # look for the rows in one statement and update them in another.
        owner: Any = type(row)._meta.get_field(next(iter(moved))).model
        rows = owner._base_manager.using(alias).filter(pk=_key(row, owner), **judged)
        swapped = rows.update(**moved)
        if swapped:
            for name, value in moved.items():
                setattr(row, name, value)
        return bool(swapped)

    def _moved(self, row: Model) -> Mapping[str, Any]:
        """Give the columns as they are after one step."""
        raise NotImplementedError(f"{type(self).__name__} cannot be swapped")


class VersionField(RowValidator):
    """A column of whole numbers that moves with every write of the row.

    The mixin moves it in the requests that it protects; whatever else writes the
    row must move it too. `drf_apikit.models.VersionedModel` does that by itself.
    """

    def __init__(self, name: str = "version") -> None:
        self.name = name

    def columns(self, model: type[Model]) -> tuple[str, ...]:
        """Name the version; on a versioned model the time of the change as well.

        The time tells a row from an earlier one of the same key and version.
        """
        versioned = issubclass(model, VersionedModel) and self.name == "version"
        return ("version", "updated_at") if versioned else (self.name,)

    def state(self, row: Model) -> str:
        """Give format, version and a short digest of key and time."""
        version, *times = (getattr(row, name) for name in self.columns(type(row)))
        whose = digest([row.pk, *(microseconds(time) for time in times)])[:8]
        return f"{FORMAT}-{version}-{whose}"

    def _moved(self, row: Model) -> Mapping[str, Any]:
        names = self.columns(type(row))
        times = {name: timezone.now() for name in names[1:]}
        return {self.name: getattr(row, self.name) + 1, **times}


class UpdatedAt(RowValidator):
    """A column with the time of the last change, to the microsecond.

    Weaker than a version: whoever writes the row elsewhere, twice within one
    microsecond or with a clock that was set back, is not seen.
    """

    def __init__(self, name: str = "updated_at") -> None:
        self.name = name

    def columns(self, _model: type[Model]) -> tuple[str, ...]:
        """Name the column."""
        return (self.name,)

    def state(self, row: Model) -> str:
        """Give format, microseconds and a short digest of the key."""
        time = microseconds(getattr(row, self.name))
        return f"{FORMAT}-{time}-{digest([row.pk])[:8]}"

    def _moved(self, row: Model) -> Mapping[str, Any]:
        # A clock may stand still or be set back; the column must move.
        return {self.name: max(timezone.now(), getattr(row, self.name) + _TICK)}


class RowDigest(RowValidator):
    """All columns of the row: for models without a version.

    A write locks the row and compares them all, since one UPDATE cannot.
    """

    swaps = False

    def columns(self, model: type[Model]) -> tuple[str, ...]:
        """Name every column."""
        return tuple(field.attname for field in model._meta.concrete_fields)

    def state(self, row: Model) -> str:
        """Give format and a digest of all values."""
        return f"{FORMAT}-{digest(values_of(row, self.columns(type(row))))}"


class BodyHash:
    """The bytes of the answer: always right, and as costly as the answer.

    `of` makes the state that If-Match compares. None: the version of a
    `VersionedModel`, else a digest of the row.
    """

    def __init__(self, of: RowValidator | None = None) -> None:
        self.of = of


class Generation:
    """Nothing was written to some tables since: a 304 without any query.

    `models` are labels such as `auth.User`, all that the answer is made of, also
    those that decide who may see it; each must be in `CONDITIONAL["GENERATIONS"]`.
    `of` as in `BodyHash`. While somebody writes, the bytes decide.
    """

    def __init__(self, *models: str, of: RowValidator | None = None) -> None:
        self.models = tuple(sorted(label.lower() for label in models))
        self.of = of


def columns_of(model: type[Model]) -> tuple[str, ...]:
    """Name the columns that tell two states of a row apart."""
    if issubclass(model, VersionedModel):
        return VersionField().columns(model)
    return RowDigest().columns(model)


def values_of(row: Model, names: tuple[str, ...]) -> Iterator[str | bytes]:
    """Give key and columns as texts that are the same in every process."""
    yield f"{row._meta.label_lower}:{row.pk}"
    for name in names:
        value = getattr(row, name)
        if isinstance(value, _PLAIN):
            yield repr(value)
        elif isinstance(value, datetime):
            yield str(microseconds(value))
        elif isinstance(value, memoryview):
            yield bytes(value)
        else:
            field: Any = row._meta.get_field(name)
            yield str(field.value_to_string(row))


def microseconds(moment: datetime) -> int:
    """Give the microseconds since the epoch, exactly; naive times are in UTC."""
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH) // _TICK


def _key(row: Model, owner: type[Model]) -> Any:
    """Give the primary key that the row has in the table of one of its models."""
    return row.pk if owner is type(row) else getattr(row, owner._meta.pk.attname)
