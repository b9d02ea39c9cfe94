"""Rows that know how often they have been written."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

__all__ = [
    "UpdateTime",
    "VersionNumber",
    "VersionedManager",
    "VersionedModel",
    "VersionedQuerySet",
    "claimed",
]


class VersionNumber(models.PositiveBigIntegerField):
    """A number that starts at 1 and that every write of the row moves by one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs = {"default": 1, "db_default": 1, "editable": False, **kwargs}
        super().__init__(*args, **kwargs)


class UpdateTime(models.DateTimeField):
    """When the row was written last."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs = {
            "default": timezone.now,
            "db_default": Now(),
            "editable": False,
            **kwargs,
        }
        super().__init__(*args, **kwargs)


class VersionedQuerySet(models.QuerySet[Any]):
    """Rows whose bulk writes move the version too."""


class VersionedManager(models.Manager.from_queryset(VersionedQuerySet)):
    """The manager of versioned rows."""


class VersionedModel(models.Model):
    """A row that every write moves by exactly one version."""

    version = VersionNumber()
    updated_at = UpdateTime()

    objects: ClassVar[models.Manager[Any]] = VersionedManager()
    versioned_rows: ClassVar[models.Manager[Any]] = VersionedManager()

    class Meta:
        abstract = True
        base_manager_name = "versioned_rows"


def claimed(*_: Any) -> AbstractContextManager[None]:
    """Keep the version of a row where it is."""
    return nullcontext()
