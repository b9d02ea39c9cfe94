"""Taking the lock of a row, on databases with row locks and without."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import connections, router
from django.db.models import Model, QuerySet

__all__ = ["alias_of", "begin_write", "lock", "rows_of"]


def alias_of(rows: Any) -> str:
    """Name the database that a view's rows are written to."""
    if rows._db is not None:
        return str(rows._db)
    return str(router.db_for_write(rows.model, **rows._hints))


def rows_of(model: type[Model], alias: str) -> QuerySet[Any]:
    """Give all rows of a model, whatever its managers hide or add."""
    return QuerySet(model, using=alias)


def lock(row: Model, alias: str) -> bool:
    """Wait for the row's lock, and read into the instance what is committed.

    A locking read sees that also where plain reads keep to an older snapshot.
    False: the row is gone.
    """
    begin_write(type(row), alias)
    rows = rows_of(type(row), alias).select_for_update()
    try:
        row.refresh_from_db(using=alias, from_queryset=rows)
    except ObjectDoesNotExist:
        return False
    return True


def begin_write(model: type[Model], alias: str) -> None:
    """Make the transaction a writer where there is no lock but that of a writer.

    SQLite: an UPDATE that no row matches. Without it a transaction that reads
    first could not write once another has written.
    """
    connection = connections[alias]
    if connection.features.has_select_for_update:
        return
    meta: Any = model._meta
    field = next(each for each in meta.local_concrete_fields if not each.generated)
    table, column = map(connection.ops.quote_name, (meta.db_table, field.column))
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = {column} WHERE 0")
