"""What the app connects to when all models are there."""

import logging
from collections.abc import Collection
from typing import Any

from django.contrib.auth import get_user_model
from django.db import DatabaseError, connections, router
from django.db.models.signals import post_save, pre_save

from drf_apikit import purging
from drf_apikit.tokens import checks
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import Ending, end_all, may_log_in
from drf_apikit.tokens.sessions.purge import SESSIONS
from drf_apikit.tokens.sessions.rehashing import follow_rehash

__all__ = ["install"]

logger = logging.getLogger("drf_apikit.tokens")


def install() -> None:
    """Connect receivers and register checks and purges."""
    purging.register(SESSIONS)
    post_save.connect(_end_with_user, dispatch_uid="drf_apikit.tokens.deactivation")
    pre_save.connect(follow_rehash, dispatch_uid="drf_apikit.tokens.rehashing")
    checks.register()


def _end_with_user(
    *,
    instance: Any,
    using: str,
    created: bool,
    raw: bool,
    update_fields: Collection[str] | None = None,
    **_: Any,
) -> None:
    """End the sessions of a user who may not log in any more, in that transaction.

    Every saved object comes by, since proxies and children of the user model send
    signals of their own.
    """
    if created or raw or not isinstance(instance, get_user_model()):
        return
    is_about = update_fields is None or "is_active" in update_fields
    if is_about and _has_sessions(using) and not may_log_in(instance):
        _end_all(instance, using)


def _end_all(user: Any, alias: str) -> None:
    """End them; while new code runs before its migrations, there are none."""
    try:
        end_all(user, Ending.INACTIVE, using=alias)
    except DatabaseError:
        table, connection = TokenSession._meta.db_table, connections[alias]
        if table in connection.introspection.table_names():
            raise
        logger.warning("No sessions end with a user: there is no table %s yet", table)


def _has_sessions(alias: str) -> bool:
    """Tell whether a database has the table: one with users alone need not."""
    return bool(router.allow_migrate_model(alias, TokenSession))
