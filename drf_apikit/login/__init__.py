"""Browser login: Authorization Code with PKCE, on mozilla-django-oidc."""

from drf_apikit.login.backend import OIDCAuthenticationBackend
from drf_apikit.login.endings import Ending
from drf_apikit.login.errors import LoginError, Reason
from drf_apikit.login.logout import OIDCLogoutView
from drf_apikit.login.middleware import SessionRefresh
from drf_apikit.login.views import (
    OIDCAuthenticationCallbackView,
    OIDCAuthenticationRequestView,
)

__all__ = [
    "Ending",
    "LoginError",
    "OIDCAuthenticationBackend",
    "OIDCAuthenticationCallbackView",
    "OIDCAuthenticationRequestView",
    "OIDCLogoutView",
    "Reason",
    "SessionRefresh",
]
