"""The values of a row in a form that is the same in every process."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import Model, QuerySet
from django.db.models.fields.files import FieldFile
from django.db.models.query import ModelIterable

from drf_apikit.models import VersionedModel

__all__ = ["all_columns", "columns_of", "microseconds", "plain", "values_of", "whole"]

#: Types whose `repr` says everything, also within a tuple.
_PLAIN: Final = frozenset(
    {str, int, float, bool, bytes, type(None), Decimal, UUID}
    | {datetime, date, time, timedelta}
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def columns_of(model: type[Model]) -> tuple[str, ...]:
    """Name the columns that tell two states of a row apart."""
    if issubclass(model, VersionedModel):
        return ("version", "updated_at")
    return all_columns(model)


def all_columns(model: type[Model]) -> tuple[str, ...]:
    """Name every column."""
    return tuple(field.attname for field in model._meta.concrete_fields)


def whole(rows: QuerySet[Any], columns: Sequence[str]) -> QuerySet[Any]:
    """Read with the rows what tells their state: later it may be another one."""
    deferred, left_out = rows.query.deferred_loading
    if not deferred or not issubclass(rows._iterable_class, ModelIterable):
        return rows
    if not left_out:
        return rows.only(*deferred, *columns)
    fields = [rows.model._meta.get_field(name) for name in columns]
    kept = {field.name for field in fields} | set(columns)
    return rows.defer(None).defer(*(set(deferred) - kept))


def values_of(row: Model, names: Sequence[str]) -> tuple[Any, ...]:
    """Give model, key and columns; their `repr` tells two states apart."""
    values = (plain(getattr(row, name)) for name in names)
    return (row._meta.label_lower, plain(row.pk), *values)


def plain(value: Any) -> Any:
    """Give the value itself where its `repr` says everything, else a text."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, FieldFile):
        return value.name
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return str(value)


def microseconds(moment: datetime) -> int:
    """Give the microseconds since the epoch, exactly; naive times are in UTC."""
    return (
        moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH
    ) // timedelta.resolution
