"""Bulk writes that move the version."""

from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asgiref.sync import sync_to_async
from django.db import NotSupportedError, models, transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone

from drf_apikit.models.versioned_claims import VERSION, claim_on, claimed_keys
from drf_apikit.models.versioned_columns import note_as_is, outcome_on

if TYPE_CHECKING:
    from drf_apikit.models.versioned import VersionedModel

__all__ = ["UPDATED_AT", "VersionedManager", "VersionedQuerySet"]

UPDATED_AT: Final = "updated_at"

Row = TypeVar("Row", bound="VersionedModel")
Method = TypeVar("Method", bound=Callable[..., Any])


def _alters_data(method: Method) -> Method:
    """Keep templates from calling it."""
    vars(method)["alters_data"] = True
    return method


class VersionedQuerySet(models.QuerySet[Row]):
    """Rows of a `VersionedModel`: bulk writes move their version too.

    `update()`, `bulk_update()` and related managers move `version` by one and
    set `updated_at`, unless they are given a value for it. Rows that are
    `claimed()` have moved already: they get the other columns only. After
    `bulk_update()` the instances read both columns anew when they are wanted.

    `bulk_create()` inserts as `save()` does. With `update_conflicts=True` it
    is refused, since no database could be told to move the version of the rows
    that are there already: use `update_or_create()`.
    """

    def update(self, **kwargs: Any) -> int:
        """Write, and move the version of each row by one."""
        if not kwargs:
            return super().update()
        return self._update_all(**kwargs)

    @_alters_data
    def bump(self) -> int:
        """Move the version of each row by one, and set when; give how many.

        For rows that show what has just changed elsewhere: in related rows, by
        raw SQL, or in the many-to-many relations of a row.

            Document.objects.filter(tags=tag).bump()
        """
        return self._update_all()

    @_alters_data
    async def abump(self) -> int:
        """Be `bump()`, for asynchronous code."""
        return await sync_to_async(self.bump)()

    def bulk_update(
        self,
        objs: Iterable[Row],
        fields: Iterable[str],
        batch_size: int | None = None,
    ) -> int:
        """Write some columns of some rows, and move each version by one."""
        rows, names = tuple(objs), tuple(fields)
        updated = super().bulk_update(rows, names, batch_size)
        self._note(rows, frozenset(names))
        return updated

    def bulk_create(
        self,
        objs: Iterable[Row],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[Row]:
        """Insert rows; refuses `update_conflicts`, which could not move versions."""
        if update_conflicts:
            raise NotSupportedError(
                "bulk_create(update_conflicts=True) would write rows without moving"
                " their version; use update_or_create()."
            )
        rows = super().bulk_create(
            list(objs),
            batch_size,
            ignore_conflicts,
            update_conflicts,
            update_fields,
            unique_fields,
        )
        if not ignore_conflicts:
            columns = self.model._meta.concrete_fields
            names = frozenset(field.name for field in columns)
            self._note(rows, names, moved=False)
        return rows

    def _update_all(self, **values: Any) -> int:
        # As Django's `update()` does first: `db` is now where writes go.
        self._for_write = True
        held = claimed_keys(self.model, self.db)
        # After the given ones: MySQL evaluates from left to right.
        moved = {**values}
        moved.setdefault(VERSION, self._unless_held(held, VERSION, F(VERSION) + 1))
        now = Value(timezone.now(), models.DateTimeField())
        moved.setdefault(UPDATED_AT, self._unless_held(held, UPDATED_AT, now))
        if not self.model._meta.parents:
            return super().update(**moved)
        # Django writes the tables one after the other.
        with transaction.atomic(using=self.db, savepoint=False):
            return super().update(**moved)

    def _unless_held(self, held: list[Any], name: str, value: Any) -> Any:
        if not held:
            return value
        return Case(When(pk__in=held, then=F(name)), default=value)

    def _note(
        self, rows: Iterable[Row], names: AbstractSet[str], *, moved: bool = True
    ) -> None:
        """Tell the instances what of them has been written."""
        outcome = outcome_on(self.db)
        fields = self.model._meta.concrete_fields
        attributes = [
            field.attname for field in fields if names & {field.name, field.attname}
        ]
        for row in rows:
            note_as_is(row, self.db, attributes, outcome)
            if moved and not claim_on(row, self.db)[0]:
                vars(row).pop(VERSION, None)
                vars(row).pop(UPDATED_AT, None)


_Manager = models.Manager.from_queryset(VersionedQuerySet)


class VersionedManager(_Manager[Row]):
    """The manager of a `VersionedModel`'s rows.

    For rows chosen or annotated by a manager of your own, begin with
    `VersionedQuerySet`:

        class DocumentQuerySet(VersionedQuerySet): ...

        class Document(VersionedModel):
            objects = VersionedManager.from_queryset(DocumentQuerySet)()
    """
