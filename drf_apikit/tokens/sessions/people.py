"""Whether a user may still log in, and whether the password is the same."""

import hashlib
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model

from drf_apikit.conf import load
from drf_apikit.users.lookup import filters_rows

__all__ = ["auth_digest", "auth_digests", "is_hidden", "may_log_in"]


def may_log_in(user: Any) -> bool:
    """Ask `USER_AUTHENTICATION_RULE` of `SIMPLE_JWT`; without it, for active users."""
    given = getattr(settings, "SIMPLE_JWT", None)
    rule = given.get("USER_AUTHENTICATION_RULE") if isinstance(given, Mapping) else None
    if rule is None:
        return bool(getattr(user, "is_active", True))
    return bool((load(rule) if isinstance(rule, str) else rule)(user))


def is_hidden(user: Any, alias: str) -> bool:
    """Tell a user whom the default manager leaves out, as one deleted softly."""
    users = get_user_model()._default_manager
    return filters_rows(users) and not users.using(alias).filter(pk=user.pk).exists()


def auth_digest(user: Any) -> str:
    """Digest what is another one as soon as the password is."""
    return auth_digests(user)[0]


def auth_digests(user: Any) -> list[str]:
    """Give that digest as SECRET_KEY makes it, and then each of its fallbacks.

    A user model without what Django has for this has always the same one.
    """
    if not hasattr(user, "get_session_auth_hash"):
        return [_digest("")]
    earlier = getattr(user, "get_session_auth_fallback_hash", tuple)
    return [_digest(one) for one in (user.get_session_auth_hash(), *earlier())]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
