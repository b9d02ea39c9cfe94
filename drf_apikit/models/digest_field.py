"""A column for a digest."""

from typing import TYPE_CHECKING, Any

from django.db import models

__all__ = ["DigestField"]

if TYPE_CHECKING:
    _Text = models.CharField[str, str]
else:
    _Text = models.CharField


class DigestField(_Text):
    """SHA-256 in hexadecimal.

    PostgreSQL gets no second index of it: Django makes one of each unique
    `varchar`, for searches by the beginning of a text.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = 64
        super().__init__(*args, **kwargs)

    def db_type(self, connection: Any) -> str:
        """Give the type of a text that is always this long.

        On PostgreSQL by a name that may stand without its length: it gets rows that
        are inserted at once as arrays, and `char[]` is one of single characters.
        """
        kind = str(super().db_type(connection=connection)).replace("varchar", "char")
        return f"bp{kind}" if connection.vendor == "postgresql" else kind
