"""What `SIMPLE_JWT` says, read at call time, as it is for our own settings.

simplejwt itself reads most of it once, when it is imported.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from rest_framework_simplejwt.settings import DEFAULTS

__all__ = ["names_primary_key", "simple_jwt"]


def simple_jwt(name: str) -> Any:
    """Give a setting, or simplejwt's default."""
    given = getattr(settings, "SIMPLE_JWT", None)
    return {**DEFAULTS, **(given if isinstance(given, Mapping) else {})}[name]


def names_primary_key() -> bool:
    """Tell whether `USER_ID_FIELD` is what `sub` says of a user anyway."""
    key = get_user_model()._meta.pk
    return simple_jwt("USER_ID_FIELD") in {"pk", key.name, key.attname}
