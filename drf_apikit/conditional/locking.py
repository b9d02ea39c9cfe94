"""Taking the lock of a row, on databases with row locks and without."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import connections
from django.db.models import F, Model, QuerySet

__all__ = ["begin_write", "lock", "rows_of"]


def rows_of(model: type[Model], alias: str) -> QuerySet[Any]:
    """Give all rows of a model, whatever its managers hide or add."""
    return QuerySet(model, using=alias)


def lock(row: Model, alias: str) -> bool:
    """Wait for the row's lock, and read into the instance what is committed.

    A locking read sees that also where plain reads keep to an older snapshot.
    False: the row is gone.
    """
    begin_write(type(row), alias, pk=row.pk)
    rows = rows_of(type(row), alias).select_for_update()
    try:
        row.refresh_from_db(using=alias, from_queryset=rows)
    except ObjectDoesNotExist:
        return False
    return True


def begin_write(model: type[Model], alias: str, **lookup: Any) -> None:
    """Make the transaction a writer where there is no lock but that of a writer.

    SQLite: an UPDATE that changes nothing, also where no row matches. Without it
    a transaction that reads first could not write once another has written.
    """
    if connections[alias].features.has_select_for_update:
        return
    owner: Any = model._meta.concrete_model
    fields = owner._meta.local_concrete_fields
    plain = (f.name for f in fields if not (f.primary_key or f.generated))
    name = next(plain, None)
    if name is not None:
        rows_of(owner, alias).filter(**lookup).update(**{name: F(name)})
