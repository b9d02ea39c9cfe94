"""A better hash of the same password ends no session.

Django hashes a password anew at a login when its hasher has changed, or does more
work. What tells of a password is then another one, as after a change. Where a login
says which password was given, the two can be told apart; where it does not, as in
Django's own forms, sessions end.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import check_password
from django.views.decorators.debug import sensitive_variables

from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions.people import auth_digest, auth_digests
from drf_apikit.tokens.sessions.transactions import home

__all__ = ["follow_rehash", "password_given"]

_GIVEN: Final[ContextVar[str | None]] = ContextVar("drf_apikit_password", default=None)


@contextmanager
def password_given(password: str) -> Iterator[None]:
    """Authenticate within by this password; sessions outlive that it is hashed anew."""
    token = _GIVEN.set(password)
    try:
        yield
    finally:
        _GIVEN.reset(token)


@sensitive_variables()
def follow_rehash(
    *,
    instance: Any,
    using: str,
    update_fields: Collection[str] | None = None,
    **_: Any,
) -> None:
    """Take sessions of a user to another hash of the password, before that is saved."""
    password = _GIVEN.get()
    if password is None or set(update_fields or ()) != {"password"}:
        return
    if not isinstance(instance, get_user_model()):
        return
    stored: Any = type(instance)._base_manager.using(using).filter(pk=instance.pk)
    for before in stored:
        if all(check_password(password, one.password) for one in (before, instance)):
            rows = TokenSession.objects.using(home()).filter(user_id=instance.pk)
            rows = rows.filter(ended_at=None, auth_hash__in=auth_digests(before))
            rows.update(auth_hash=auth_digest(instance))
