"""The ledger's own tokens: for the mobile app, whose people have a password here."""

from django.urls import include, path
from rest_framework.throttling import ScopedRateThrottle

from drf_apikit.tokens.views import (
    SessionViewSet,
    TokenBlacklistView,
    TokenObtainPairView,
    TokenRefreshView,
)

__all__ = ["PasswordView", "urlpatterns"]


class PasswordView(TokenObtainPairView):
    """Log in with a name and a password; an address may try a few times a minute."""

    throttle_classes = (ScopedRateThrottle,)
    throttle_scope = "password"


# As `drf_apikit.tokens.urls`, but for the password and the place of the sessions.
SESSIONS = SessionViewSet.as_view({"get": "list", "delete": "destroy_others"})
SESSION = SessionViewSet.as_view({"delete": "destroy"})

urlpatterns = [
    path("api/token/", PasswordView.as_view(), name="token_obtain_pair"),
    path("api/token/refresh/", TokenRefreshView.as_view(), name="token_refresh"),
    path("api/token/blacklist/", TokenBlacklistView.as_view(), name="token_blacklist"),
    path("api/sessions/", SESSIONS, name="token-sessions"),
    path("api/sessions/<uuid:pk>/", SESSION, name="token-session"),
    path("", include("drf_apikit.tokens.wellknown_urls")),
]
