"""Sessions as they are stored, beside the copy that each request has of its own.

Django saves a session whole: of two requests that change their copies the later one
wins. What must not get lost is therefore written into a copy that was read just
before, and at once.
"""

from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final

from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.contrib.sessions.backends.signed_cookies import SessionStore as InCookies

__all__ = ["edit", "is_on_server"]

#: Any name: asking for it reads a session that nobody has read yet.
_NAME: Final = "oidc_states"

Change = Callable[[MutableMapping[str, Any]], object]


def is_on_server(session: SessionBase) -> bool:
    """Tell whether a session is kept here, rather than by the browser."""
    return not isinstance(session, InCookies)


def edit(session: SessionBase, change: Change) -> bool:
    """Change a session where it is stored, and this request's copy as well.

    `change` may be called twice. A session that is not stored yet is changed for the
    middleware to store; one that has been ended meanwhile stays ended. Tells whether
    it was stored.
    """
    session.get(_NAME)
    key = session.session_key
    if key is None or not is_on_server(session):
        change(_items(session))
        return False
    stored = type(session)(key)
    change(_items(stored))
    was_stored = False
    if stored.modified and stored.session_key is not None:
        with suppress(UpdateError):
            stored.save()
            was_stored = True
    was_modified = session.modified
    change(_items(session))
    session.modified = was_modified
    return was_stored


def _items(session: Any) -> MutableMapping[str, Any]:
    """Give a session as the mapping that it almost is."""
    items: MutableMapping[str, Any] = session
    return items
