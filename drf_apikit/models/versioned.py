"""Rows that know how often they have been written."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from django.db import models, router
from django.db.models import F, Field, QuerySet
from django.db.models.base import ModelBase

from drf_apikit.models.versioned_claims import VERSION, claim_on
from drf_apikit.models.versioned_columns import (
    Stored,
    is_expression,
    note,
    outcome_on,
    remember,
    stored_of,
)
from drf_apikit.models.versioned_fields import Saving, UpdateTime, VersionNumber
from drf_apikit.models.versioned_rows import UPDATED_AT, VersionedManager

__all__ = ["VersionedModel"]

if TYPE_CHECKING:
    _AnyField: TypeAlias = Field[Any, Any]

    class _Base(models.Model):
        """Say what the stubs leave out."""

        class Meta:
            abstract = True

        def _do_insert(self, *args: Any) -> Any: ...

else:
    _Base, _AnyField = models.Model, Field

_MOVED = frozenset({VERSION, UPDATED_AT})


class VersionedModel(_Base):
    """A row whose `version` moves by exactly one with every write.

        class Document(VersionedModel):
            title = models.CharField(max_length=100)

    **`save()`** of a row that exists is one UPDATE of `version`, `updated_at`
    and the columns that have changed since the instance was read: what another
    transaction has written to other columns meanwhile stays. It is a write even
    if nothing has changed. With `update_fields` these columns are written,
    changed or not, and the two. Values that are changed in place, like a JSON
    object, are compared in depth. An instance that was not read but made,
    `Document(pk=1, ...)`, writes all its columns, as ever; so does one that
    goes to another database. Columns that Django 6.1 has fetched for an
    instance and its peers at once count as changed. If the row is gone it is
    inserted again, as ever.

    **The number after `save()`** is the one in the database. Django 6 fetches
    it in the same statement from PostgreSQL and SQLite; otherwise it is read
    when it is first asked for, so ask within the transaction. The same holds
    for other columns that the database computes. Of the columns that others
    have changed meanwhile, `refresh_from_db()` tells.

    **New rows** begin with 1, and so do copies (`pk = None`), unless they are
    made with a number. A row that is inserted again after it was deleted goes
    on from the last number that its instance knows. Fixtures are loaded as they
    are. A row in several tables (multi-table inheritance) has one version.

    **Bulk writes** move the version too: see `VersionedQuerySet`. Raw SQL, other
    rows and many-to-many relations do not: call `bump()`.

    **Writes that are claimed** have moved the version already: see `claimed`.

    **Wiring.** Name this class first among the bases, and give it no other
    `base_manager_name`: Django writes through the base manager when it clears
    or adds related rows. In a transaction each save registers a callback with
    `transaction.on_commit()`: what was rolled back is written again by the next
    save.
    """

    version = VersionNumber()
    updated_at = UpdateTime()

    objects = VersionedManager()
    versioned_rows = VersionedManager()

    _running_save: Saving | None = None

    class Meta:
        abstract = True
        base_manager_name = "versioned_rows"

    @classmethod
    def from_db(
        cls,
        db: str | None,
        field_names: Collection[str],
        values: Collection[Any],
        **options: Any,
    ) -> Self:
        """Remember what was read."""
        instance = super().from_db(db, field_names, values, **options)
        columns = zip(field_names, values, strict=True)
        remember(instance, Stored.loaded(db, instance.pk, columns))
        return instance

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: QuerySet[Self] | None = None,
    ) -> None:
        """Read again, and remember what was read."""
        names = None if fields is None else set(fields)
        super().refresh_from_db(using, names, from_queryset)
        columns = {
            field.attname: vars(self)[field.attname]
            for field in self._meta.concrete_fields
            if field.attname in vars(self)
            and (names is None or names & {field.name, field.attname})
        }
        stored = stored_of(self)
        if stored is None or not stored.is_of(self._state.db, self.pk):
            stored = Stored(self._state.db, self.pk, {})
        remember(self, stored.refreshed(columns))

    def save(
        self,
        *,
        force_insert: bool | tuple[ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Write what has changed, and move the version by one."""
        alias = using or router.db_for_write(type(self), instance=self)
        if update_fields is not None:
            names = frozenset(update_fields)
            # No names at all: Django then saves nothing.
            update_fields = names and names | _MOVED
        with self._while_saving(alias, update_fields is not None):
            super().save(
                force_insert=force_insert,
                force_update=force_update,
                using=alias,
                update_fields=update_fields,
            )

    def _do_update(self, *args: Any, **options: Any) -> Any:
        """Write the columns that have changed.

        Not documented by Django: called once for each table with (queryset,
        alias, primary key, values, update_fields, ...), after the `pre_save`
        signal and `Field.pre_save()`, whose changes must be seen here. Django 6
        adds the columns to return, and gives a list of rows instead of a bool.
        """
        rows, alias, pk, values, *rest = args
        chosen = [entry for entry in values if self._is_written(*entry)]
        if values and not chosen:
            # To Django: this table was not asked for, so there is nothing to check.
            rest[0] = frozenset()
        done: Any = super()._do_update(rows, alias, pk, chosen, *rest, **options)
        if done:
            columns = {field.attname: value for field, _, value in chosen}
            # Without branches: of the two Djangos each test run has one.
            columns |= {} if done is True else _returned(rest[2], done)
            fields = rows.model._meta.local_concrete_fields if done is True else ()
            self._defer_computed(fields, columns)
            self._note(alias, columns)
        return done

    def _do_insert(
        self,
        manager: Any,
        using: str,
        fields: Sequence[_AnyField],
        returning_fields: Sequence[_AnyField],
        raw: bool,
    ) -> Any:
        """Remember what a new row holds.

        Not documented by Django: called once for each table; gives a list with
        the values of `returning_fields`.
        """
        done = super()._do_insert(manager, using, fields, returning_fields, raw)
        values = vars(self)
        columns = {
            field.attname: values[field.attname]
            for field in fields
            if field.attname in values
        }
        self._note(using, {**columns, **_returned(returning_fields, done)})
        return done

    def _is_written(self, field: _AnyField, _model: Any, value: Any) -> bool:
        saving, stored = self._running_save, stored_of(self)
        if saving is None:
            # A fixture, as it is.
            return True
        if field.name in _MOVED:
            return not saving.held
        if saving.named or stored is None or not stored.is_of(saving.alias, self.pk):
            return True
        return stored.differs(field, value)

    def _note(self, alias: str, columns: dict[str, Any]) -> None:
        stored = stored_of(self)
        if stored is not None and is_expression(columns.get(VERSION)):
            # At least: others may have moved it meanwhile.
            columns[VERSION] = stored.values.get(VERSION, 0) + 1
        note(self, alias, columns, outcome_on(alias))

    def _defer_computed(
        self, fields: Iterable[_AnyField], columns: Mapping[str, Any]
    ) -> None:
        """Read what the database has computed when it is wanted, as Django 6 does."""
        computed = [name for name, value in columns.items() if is_expression(value)]
        computed += [each.attname for each in fields if each.generated and columns]
        for name in computed:
            vars(self).pop(name, None)

    @contextmanager
    def _while_saving(self, alias: str, named: bool) -> Iterator[None]:
        held, claimer = claim_on(self, alias)
        values, outer, stored = vars(self), self._running_save, stored_of(self)
        before = {name: values[name] for name in _MOVED & values.keys()}
        if claimer is not None:
            source = vars(claimer)
            values.update({name: source[name] for name in _MOVED & source.keys()})
        elif not held:
            # Django leaves deferred columns out, but these two are written.
            values.update({name: F(name) for name in _MOVED - values.keys()})
        self._running_save = Saving(alias, named, held)
        try:
            yield
        except BaseException:
            if stored_of(self) is stored:
                for name in _MOVED:
                    values.pop(name, None)
                values.update(before)
            raise
        finally:
            self._running_save = outer


def _returned(
    fields: Iterable[_AnyField], rows: Sequence[Sequence[Any]]
) -> dict[str, Any]:
    """Name what the database has returned: all of the fields, or none."""
    values = rows[0] if rows else ()
    return dict(zip((field.attname for field in fields), values, strict=False))
