"""What tells that an answer is still what a client has seen.

The validators of one object are here; those of lists are in `list_validators`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.apps import apps
from django.db.models import Model
from django.utils import timezone
from rest_framework.request import Request

from drf_apikit.conditional import generations
from drf_apikit.conditional.conditions import conditions_of
from drf_apikit.conditional.rows import all_columns, columns_of, microseconds, values_of
from drf_apikit.conditional.tags import FORMAT, digest, representation_of
from drf_apikit.http.etags import EntityTag, parse_tag_list
from drf_apikit.http.preconditions import Preconditions
from drf_apikit.models import VersionedModel

if TYPE_CHECKING:
    from drf_apikit.conditional.get import ConditionalGetMixin

__all__ = [
    "BodyHash",
    "Generation",
    "RowDigest",
    "RowValidator",
    "UpdatedAt",
    "Validator",
    "VersionField",
]

#: Of a client's list of tags, how many are compared with a generation.
_MEMBERS: Final = 16


class Validator(ABC):
    """Makes the tag of an answer, before it is made or from what it was made of."""

    #: Whether what it says holds only of the database that is written to.
    needs_primary: ClassVar[bool] = False
    #: What makes the state of an object where the validator itself does not.
    of: "RowValidator | None" = None
    #: Whether the tag is made of the rows that the handler lists, by `columns()`.
    records_rows: ClassVar[bool] = False

    def columns(self, model: type[Model]) -> tuple[str, ...]:
        """Name the columns that are compared of a row, besides the primary key."""
        return columns_of(model)

    @abstractmethod
    def before(self, view: "ConditionalGetMixin", /) -> EntityTag | None:
        """Give the tag before the answer is made; None where it is not known."""

    @abstractmethod
    def after(
        self, view: "ConditionalGetMixin", before: EntityTag | None, /
    ) -> EntityTag | None:
        """Give the tag of the answer that was made; None: its bytes tell."""


class BodyHash(Validator):
    """The bytes of the answer: always right, and as costly as the answer.

    `of` makes the state that If-Match compares. None: the version of a
    `VersionedModel`, else a digest of the row.
    """

    def __init__(self, of: "RowValidator | None" = None) -> None:
        self.of = of

    def before(self, view: "ConditionalGetMixin", /) -> None:
        """Know nothing yet."""

    def after(self, view: "ConditionalGetMixin", before: EntityTag | None, /) -> None:
        """Leave it to the bytes."""


class RowValidator(Validator):
    """Makes the state of a row: what a writer must not have missed."""

    #: Whether the state can be compared and moved by one UPDATE of `moved()`.
    swaps: ClassVar[bool] = False

    @abstractmethod
    def state(self, row: Model) -> str:
        """Give the state of a row, without a dot."""

    @abstractmethod
    def columns(self, model: type[Model]) -> tuple[str, ...]:
        """Name the columns that the state is made of, besides the primary key."""

    def before(self, view: "ConditionalGetMixin", /) -> EntityTag | None:
        """Read the object, with what it depends on."""
        row = view.hold_object()
        return view.row_tag(row) if view.dependencies.are_whole([row]) else None

    def after(
        self, _view: "ConditionalGetMixin", before: EntityTag | None, /
    ) -> EntityTag | None:
        """Keep to the object that was read, which is the one that is shown."""
        return before

    def moved(self, row: Model) -> Mapping[str, Any]:
        """Give the columns as they are after one step; nothing if none `swaps`."""
        del row
        return {}


class VersionField(RowValidator):
    """A column of whole numbers that moves with every write of the row.

    The mixin moves it in the requests that it protects; whatever else writes the
    row must move it too. `drf_apikit.models.VersionedModel` does that by itself.
    """

    swaps = True

    def __init__(self, name: str = "version") -> None:
        self.name = name

    def columns(self, model: type[Model]) -> tuple[str, ...]:
        """Name the version; on a versioned model the time of the change as well.

        The time tells a row from an earlier one of the same key and version.
        """
        return columns_of(model) if self.is_kept_by(model) else (self.name,)

    def is_kept_by(self, model: type[Model]) -> bool:
        """Tell whether the model moves the column by itself."""
        return self.name == "version" and issubclass(model, VersionedModel)

    def state(self, row: Model) -> str:
        """Give format, version and a short digest of key and time."""
        version, *times = (getattr(row, name) for name in self.columns(type(row)))
        whose = digest([row.pk, *map(microseconds, times)])[:8]
        return f"{FORMAT}-{version}-{whose}"

    def moved(self, row: Model) -> Mapping[str, Any]:
        """Count one on; a versioned model notes the time as well."""
        times = self.columns(type(row))[1:]
        moved = {name: _later_than(getattr(row, name)) for name in times}
        return {self.name: getattr(row, self.name) + 1, **moved}


class UpdatedAt(RowValidator):
    """A column with the time of the last change, to the microsecond.

    Weaker than a version: of writes elsewhere within one microsecond, or by a
    clock that was set back, it does not know.
    """

    swaps = True

    def __init__(self, name: str = "updated_at") -> None:
        self.name = name

    def columns(self, _model: type[Model]) -> tuple[str, ...]:
        """Name the column."""
        return (self.name,)

    def state(self, row: Model) -> str:
        """Give format, microseconds and a short digest of the key."""
        time = getattr(row, self.name)
        told = "never" if time is None else microseconds(time)
        return f"{FORMAT}-{told}-{digest([row.pk])[:8]}"

    def moved(self, row: Model) -> Mapping[str, Any]:
        """Give the time, later than before."""
        return {self.name: _later_than(getattr(row, self.name))}


class RowDigest(RowValidator):
    """All columns of the row: for models without a version.

    A write locks the row and compares them all, since one UPDATE cannot.
    """

    def columns(self, model: type[Model]) -> tuple[str, ...]:
        """Name every column."""
        return all_columns(model)

    def state(self, row: Model) -> str:
        """Give format and a digest of all values."""
        return f"{FORMAT}-{digest([values_of(row, self.columns(type(row)))])}"


class Generation(Validator):
    """Nothing was written to some tables since: a 304 without any query.

    `models` are labels such as `auth.User`, all that the answer is made of, also
    those that decide who may see it; each must be in `CONDITIONAL["GENERATIONS"]`.
    `of` as in `BodyHash`. While somebody writes, the bytes decide.
    """

    #: A replica may lag behind the generation.
    needs_primary = True

    def __init__(self, *models: str, of: RowValidator | None = None) -> None:
        self.models = models
        self.of = of

    def current(self) -> str | None:
        """Read the generations: what is read later is not older."""
        return generations.current([apps.get_model(label) for label in self.models])

    def before(self, view: "ConditionalGetMixin", /) -> EntityTag | None:
        """Look for a tag of this generation among those that the client has.

        Such a tag was made for this caller by this key, so that it says itself
        what state the object is in.
        """
        # A tag that others have as well says nothing about who may see the object.
        if view.generation is not None and view.is_detail and view.per_user:
            for tag in _sole_tags(view.request)[:_MEMBERS]:
                own = self._tag(view, tag.state)
                if own.opaque == representation_of(tag):
                    return own
        return self.after(view, None)

    def after(
        self, view: "ConditionalGetMixin", before: EntityTag | None, /
    ) -> EntityTag | None:
        """Give the tag of this generation, with the state of the object."""
        if before is not None or view.generation is None:
            return before
        if view.is_detail:
            row = view.hold_object()
            return self._tag(view, view.row_validator_of(type(row)).state(row))
        return self._tag(view, f"{FORMAT}-{digest([view.generation])[:8]}")

    def _tag(self, view: "ConditionalGetMixin", state: str) -> EntityTag:
        return view.make_tag(state, view.generation, view.request.path, state)


def _later_than(moment: datetime | None) -> datetime:
    """Give the time; a clock may stand still or be set back, this does not."""
    now = timezone.now()
    return now if moment is None else max(now, moment + timedelta.resolution)


def _sole_tags(request: Request) -> tuple[EntityTag, ...]:
    """Give the tags of If-None-Match where that is the only condition."""
    conditions = conditions_of(request)
    field = conditions.if_none_match
    if field is None or conditions != Preconditions(if_none_match=field):
        return ()
    listed = parse_tag_list(field)
    return listed if isinstance(listed, tuple) else ()
