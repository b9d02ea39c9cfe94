"""Routes with simplejwt's names: `path("api/token/", include(...))`."""

from django.urls import path

from drf_apikit.tokens import views

__all__ = ["urlpatterns"]

urlpatterns = [
    path("", views.TokenObtainPairView.as_view(), name="token_obtain_pair"),
    path("refresh/", views.TokenRefreshView.as_view(), name="token_refresh"),
    path("blacklist/", views.TokenBlacklistView.as_view(), name="token_blacklist"),
    path("verify/", views.TokenVerifyView.as_view(), name="token_verify"),
    path(
        "sessions/",
        views.SessionViewSet.as_view({"get": "list"}),
        name="token-sessions",
    ),
    path(
        "sessions/<uuid:pk>/",
        views.SessionViewSet.as_view({"delete": "destroy"}),
        name="token-session",
    ),
]
