"""Conditional requests: ETag, 304, and writes that cannot lose an update.

On a view set, before its other bases:

    class AccountViewSet(ConditionalMixin, ModelViewSet):
        validator = VersionField("version")

`ConditionalGetMixin` is the part for reads alone.
"""

from drf_apikit.conditional.get import ConditionalGetMixin
from drf_apikit.conditional.list_validators import Aggregate, PageDigest
from drf_apikit.conditional.mixins import ConditionalMixin
from drf_apikit.conditional.validators import (
    BodyHash,
    Generation,
    RowDigest,
    RowValidator,
    UpdatedAt,
    Validator,
    VersionField,
)

__all__ = [
    "Aggregate",
    "BodyHash",
    "ConditionalGetMixin",
    "ConditionalMixin",
    "Generation",
    "PageDigest",
    "RowDigest",
    "RowValidator",
    "UpdatedAt",
    "Validator",
    "VersionField",
]
