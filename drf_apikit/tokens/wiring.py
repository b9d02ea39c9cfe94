"""What the app connects to when all models are there."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router
from django.db.models.signals import post_save

from drf_apikit import purging
from drf_apikit.tokens import checks
from drf_apikit.tokens.models import TokenSession
from drf_apikit.tokens.sessions import Ending, end_all
from drf_apikit.tokens.sessions.purge import SESSIONS

__all__ = ["install"]


def install() -> None:
    """Connect receivers and register checks and purges."""
    purging.register(SESSIONS)
    post_save.connect(_end_with_user, dispatch_uid="drf_apikit.tokens.deactivation")
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
    """End the sessions of a user who was saved as inactive, in that transaction.

    Every saved object comes by, since proxies and children of the user model send
    signals of their own.
    """
    if created or raw or not isinstance(instance, get_user_model()):
        return
    is_about = update_fields is None or "is_active" in update_fields
    if is_about and not instance.is_active and _has_sessions(using):
        end_all(instance, Ending.INACTIVE, using=using)


def _has_sessions(alias: str) -> bool:
    """Tell whether a database has the table: one with users alone need not."""
    return bool(router.allow_migrate_model(alias, TokenSession))
