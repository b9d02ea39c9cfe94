"""What all databases can keep of a session."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from drf_apikit.tokens.models import TokenSession

__all__ = ["refuse_unkept"]

#: NUL as JSON writes it, and not a text that looks like that.
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def refuse_unkept(client_id: str, scope: str, claims: Mapping[str, Any] | None) -> None:
    """Refuse what one of the databases would: most fail with whole transactions.

    Raises:
        ValueError: a text has NUL or half a character, or a name is too long.

    """
    longest: Any = TokenSession._meta.get_field("client_id").max_length
    if len(client_id) > longest:
        raise ValueError(f"A client_id has {longest} characters at most.")
    given = {"client_id": client_id, "scopes": scope, **(claims or {})}
    for name, value in given.items():
        if not _can_be_kept({name: value}):
            raise ValueError(
                f"{name!a} cannot be kept with a session: it has NUL, a lone surrogate,"
                " or a number that is none."
            )


def _can_be_kept(value: Any) -> bool:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError:
        return False
    return _NUL.search(text) is None
