"""The two columns that every write of a row moves."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import F, Model
from django.db.models.functions import Now
from django.utils import timezone

from drf_apikit.models.versioned_claims import VERSION
from drf_apikit.models.versioned_columns import stored_of

__all__ = ["Saving", "UpdateTime", "VersionNumber"]

if TYPE_CHECKING:
    _Number = models.PositiveBigIntegerField[int, int]
    _Time = models.DateTimeField[Any, Any]
else:
    _Number = models.PositiveBigIntegerField
    _Time = models.DateTimeField


class VersionNumber(_Number):
    """A number that starts at 1 and that `save()` moves by one in the database.

    What the instance holds is not written, so that two savers at once move it
    twice. New rows may be given a number to start with.
    """

    #: The path in migrations.
    __module__ = "drf_apikit.models"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs = {"default": 1, "db_default": 1, "editable": False, **kwargs}
        super().__init__(*args, **kwargs)

    def pre_save(self, model_instance: Model, add: bool) -> Any:
        """Give the expression, or a new row's first number."""
        known = vars(model_instance).get(self.attname)
        if add:
            number = _first_number(model_instance, known)
            setattr(model_instance, self.attname, number)
            return number
        return known if _is_held(model_instance) else F(self.attname) + 1


class UpdateTime(_Time):
    """When the row was written last."""

    #: The path in migrations.
    __module__ = "drf_apikit.models"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        own = {"default": timezone.now, "db_default": Now(), "editable": False}
        super().__init__(*args, **{**own, **kwargs})

    def pre_save(self, model_instance: Model, add: bool) -> Any:
        """Give and set the present time, unless the row is claimed."""
        if not add and _is_held(model_instance):
            return vars(model_instance).get(self.attname)
        now = timezone.now()
        setattr(model_instance, self.attname, now)
        return now


@dataclass(frozen=True, slots=True)
class Saving:
    """One call of `save()`."""

    alias: str
    #: The columns were named by the caller, who wants them written.
    named: bool
    held: bool


def _is_held(instance: Model) -> bool:
    saving = vars(instance).get("_running_save")
    return isinstance(saving, Saving) and saving.held


def _first_number(instance: Model, given: Any) -> int:
    """Go on where the row is known; begin with 1 or what a new row is given."""
    stored = stored_of(instance)
    if stored is None:
        return given if isinstance(given, int) else 1
    if stored.is_of(stored.alias, instance.pk):
        return int(stored.values.get(VERSION, 0)) + 1
    return 1
