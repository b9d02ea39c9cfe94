"""The app of first-party tokens."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

__all__ = ["TokensConfig"]


class TokensConfig(AppConfig):
    """`drf_apikit.tokens` in `INSTALLED_APPS`, beside `drf_apikit`."""

    name = "drf_apikit.tokens"
    label = "drf_apikit_tokens"
    verbose_name = _("API kit: first-party tokens")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect what looks after sessions, and register checks.

        These import models, which are not there yet when this module is imported.
        """
        import_module("drf_apikit.tokens.wiring").install()
