"""System checks; each has an id, the setting, what is wrong and the remedy."""

from django.core import checks

from drf_apikit.checks.settings import check_settings

__all__ = ["check_settings", "register"]


def register() -> None:
    """Add all checks to Django's registry."""
    checks.register(check_settings, checks.Tags.security)
