"""The example's routes; tests of the package bring their own by `urls`."""

from ledger.urls import urlpatterns

__all__ = ["urlpatterns"]
