"""The URLs of mozilla-django-oidc, with our views: `include("drf_apikit.login.urls")`.

`OIDC_CALLBACK_CLASS` and `OIDC_AUTHENTICATE_CLASS` name views of the project's own,
which inherit from ours.
"""

from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import path
from django.utils.module_loading import import_string
from django.views.generic import View

from drf_apikit.login.logout import OIDCLogoutView
from drf_apikit.login.views import (
    OIDCAuthenticationCallbackView,
    OIDCAuthenticationRequestView,
)

__all__ = ["urlpatterns"]


def _view(setting: str, ours: type[View]) -> Any:
    """Give the view of the project, or ours.

    Raises:
        ImproperlyConfigured: it would check less than ours.

    """
    name = getattr(django_settings, setting, None)
    chosen = ours if name is None else import_string(name)
    if not issubclass(chosen, ours):
        whole = f"{ours.__module__}.{ours.__qualname__}"
        raise ImproperlyConfigured(f"{setting}: {name} has to inherit from {whole}.")
    return chosen.as_view()


urlpatterns = [
    path(
        "callback/",
        _view("OIDC_CALLBACK_CLASS", OIDCAuthenticationCallbackView),
        name="oidc_authentication_callback",
    ),
    path(
        "authenticate/",
        _view("OIDC_AUTHENTICATE_CLASS", OIDCAuthenticationRequestView),
        name="oidc_authentication_init",
    ),
    path("logout/", OIDCLogoutView.as_view(), name="oidc_logout"),
]
