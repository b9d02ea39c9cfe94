"""Addresses of the pages, at the root of the host."""

from django.urls import path
from django.views.decorators.cache import cache_control
from django.views.generic import TemplateView

from ledger.web.ordering import NewTransferPage
from ledger.web.views import AccountsPage, HomePage, TransferPage, TransfersPage

__all__ = ["app_name", "urlpatterns"]

app_name = "web"
urlpatterns = [
    path("", HomePage.as_view(), name="home"),
    path("accounts/", AccountsPage.as_view(), name="accounts"),
    path("transfers/", TransfersPage.as_view(), name="transfers"),
    path("transfers/new/", NewTransferPage.as_view(), name="new-transfer"),
    path("transfers/<int:pk>/", TransferPage.as_view(), name="transfer"),
    # No static file to collect: the one style sheet is a template.
    path(
        "style.css",
        cache_control(max_age=3600)(
            TemplateView.as_view(
                template_name="ledger_web/style.css", content_type="text/css"
            )
        ),
        name="style",
    ),
]
