"""The ledger as a Django app."""

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

__all__ = ["LedgerConfig"]


class LedgerConfig(AppConfig):
    """Refuses to start without a secret key, rather than at the first request."""

    name = "ledger"
    verbose_name = "Payments ledger"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Look at what only a deployment can supply."""
        try:
            _ = settings.SECRET_KEY
        except ImproperlyConfigured as error:
            raise ImproperlyConfigured(
                "Set the environment variable SECRET_KEY to a long random text "
                "(or DEBUG=1 on a machine of your own)."
            ) from error
