"""Tokens of a session, in a record of their own beside it.

It is a record of the same session store, whose key only the session knows. Requests
that save an older copy of the session can therefore not bring back a refresh token
that was used up meanwhile: nobody writes this record but who has renewed the tokens.
What is in it is encrypted, and no user is: as a session it is nobody's.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Final

from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_apikit.login.stored import is_on_server
from drf_apikit.sealing import seal_text, unseal_text

__all__ = ["KeptTokens", "discard", "keep", "kept"]

_ENTRY: Final = "drf_apikit_tokens"
_PURPOSE: Final = "tokens of a login session"
#: How often it is tried to store what cannot be had again.
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTokens:
    """What the provider gave last; times are in seconds since the epoch.

    `claims` are those of the first ID token that later ones are compared with.
    """

    renew_at: float
    expires_at: float
    refresh_token: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


@sensitive_variables()
def keep(session: SessionBase, key: str | None, tokens: KeptTokens) -> str | None:
    """Store tokens, in a new record where `key` is None; give its key.

    None: there is no such record any more, or the session is with the browser, which
    must not have them.

    Raises:
        UpdateError: there is one, and it cannot be written.

    """
    if not is_on_server(session):
        return None
    record = type(session)(key)
    record[_ENTRY] = seal_text(json.dumps(asdict(tokens)), _PURPOSE)
    if key is not None and record.session_key is None:
        return None
    # The session lives on from a request that comes before the renewal is due.
    life = tokens.expires_at - time.time() + session.get_expiry_age()
    # A number of seconds would never end for sessions in files.
    record.set_expiry(timezone.now() + timedelta(seconds=life))
    return _saved(record)


@sensitive_variables()
def kept(session: SessionBase, key: str | None) -> KeptTokens | None:
    """Give the tokens as they are stored now."""
    if not key or not is_on_server(session):
        return None
    sealed = type(session)(key).get(_ENTRY)
    text = unseal_text(sealed, _PURPOSE) if isinstance(sealed, str) else None
    with suppress(TypeError, ValueError):
        return KeptTokens(**json.loads(text or ""))
    return None


def discard(session: SessionBase, key: str | None) -> None:
    """Forget the tokens."""
    if key and is_on_server(session):
        type(session)().delete(key)


def _saved(record: SessionBase) -> str | None:
    """Save a record and give its key; None where it is gone."""
    attempt = 1
    while True:
        try:
            record.save()
        except UpdateError:
            # Databases say so of whatever goes wrong there, such as a deadlock.
            if not record.exists(str(record.session_key)):
                return None
            if attempt == _ATTEMPTS:
                raise
            attempt += 1
        else:
            return record.session_key
