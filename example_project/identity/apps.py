"""The provider's Django app."""

from django.apps import AppConfig
from django.core import checks

from identity.checks import check_deployment, check_guard

__all__ = ["IdentityConfig"]


class IdentityConfig(AppConfig):
    """The development OpenID provider."""

    name = "identity"
    verbose_name = "Development OpenID provider"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks that keep this provider out of production."""
        checks.register(check_guard, checks.Tags.security)
        checks.register(check_deployment, checks.Tags.security, deploy=True)
