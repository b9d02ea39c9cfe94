"""Claiming a row for one writer: compare and swap on its version."""

from django.db import router
from django.db.models import Model

__all__ = ["claim", "write_alias"]


def write_alias(model: type[Model]) -> str:
    """Name the database whose rows decide a write."""
    return router.db_for_write(model)


def claim(instance: Model, version_field: str, alias: str) -> bool:
    """Move the row's version by one, if it is still the one that was read.

    Must be the first statement of its transaction: a transaction that reads
    first cannot become a writer on SQLite once another has written, and sees
    an old snapshot under REPEATABLE READ. The database locks the row until the
    commit. The instance gets the new number, so that `save()` writes it again
    rather than moving it twice.
    """
    version = getattr(instance, version_field)
    rows = type(instance)._base_manager.using(alias).filter(pk=instance.pk)
    claimed = rows.filter(**{version_field: version}).update(
        **{version_field: version + 1}
    )
    if claimed:
        setattr(instance, version_field, version + 1)
    return bool(claimed)
