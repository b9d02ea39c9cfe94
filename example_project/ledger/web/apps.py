"""The web page as a Django app: its templates and their filters."""

from django.apps import AppConfig

__all__ = ["LedgerWebConfig"]


class LedgerWebConfig(AppConfig):
    """Has no models; what it shows and moves is the ledger's."""

    name = "ledger.web"
    label = "ledger_web"
    verbose_name = "Payments ledger, web page"
