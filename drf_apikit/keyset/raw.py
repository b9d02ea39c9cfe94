"""Values that lead back to their row."""

from typing import TYPE_CHECKING, Any, Final

from django.db.models import (
    Count,
    DateTimeField,
    DecimalField,
    DurationField,
    Field,
    FloatField,
    IntegerField,
)
from django.db.models.expressions import Col

__all__ = ["Raw", "field_of"]

#: Fields that change what an expression gives, or what it is compared with.
_CHANGING: Final = IntegerField, FloatField, DecimalField, DurationField, DateTimeField

if TYPE_CHECKING:
    _AnyField = Field[Any, Any]
else:
    _AnyField = Field


class Raw(_AnyField):
    """A value as the driver gives and takes it.

    What Django makes of it need not lead back to the row: SQLite's decimals and
    the averages of PostgreSQL and MariaDB lose digits, integers are held to the
    range of their field, and moments that have no zone get one.
    """

    def get_internal_type(self) -> str:
        """Have none of the conversions of Django's own fields."""
        return "drf_apikit.Raw"


def field_of(expression: Any) -> Any:
    """Give the field by which values of a resolved expression are read."""
    field = expression.output_field
    exact = isinstance(expression, Col | Count)
    return Raw() if isinstance(field, _CHANGING) and not exact else field
