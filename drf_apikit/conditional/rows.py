"""The values of a row as texts that are the same in every process."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Model

from drf_apikit.models import VersionedModel

__all__ = ["columns_of", "microseconds", "values_of"]

#: Types whose `repr` says everything.
_PLAIN: Final = (str, int, float, bytes, type(None))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)


def columns_of(model: type[Model]) -> tuple[str, ...]:
    """Name the columns that tell two states of a row apart."""
    if issubclass(model, VersionedModel):
        return ("version", "updated_at")
    return tuple(field.attname for field in model._meta.concrete_fields)


def values_of(row: Model, names: tuple[str, ...]) -> Iterator[str | bytes]:
    """Give key and columns as texts."""
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
