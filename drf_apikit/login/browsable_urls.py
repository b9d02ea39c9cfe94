"""Login and logout in the browsable API, where DRF's own tags look for them.

    path("", include("drf_apikit.login.browsable_urls"))

in place of `rest_framework.urls`, which would ask for a password.
"""

from django.urls import path

from drf_apikit.login.logout import OIDCLogoutView
from drf_apikit.login.views import OIDCAuthenticationRequestView

__all__ = ["app_name", "urlpatterns"]

#: What the tags ask for.
app_name = "rest_framework"
#: The parameter that they send, whatever OIDC_REDIRECT_FIELD_NAME says.
_FIELD = "next"

urlpatterns = [
    path(
        "login/",
        OIDCAuthenticationRequestView.as_view(redirect_field_name=_FIELD),
        name="login",
    ),
    path("logout/", OIDCLogoutView.as_view(redirect_field_name=_FIELD), name="logout"),
]
