"""Addresses of the API, its documentation, the admin site and the pulse."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path
from django.views.generic import TemplateView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.routers import APIRootView, DefaultRouter

from drf_apikit.problems.django_handlers import (
    handler400,
    handler403,
    handler404,
    handler500,
)
from ledger.views import AccountViewSet, TransferViewSet, healthz

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

# What is public needs no token, and would refuse a wrong one without this.
OPEN: dict[str, Any] = {"authentication_classes": [], "permission_classes": []}
LOGIN = bool(getattr(settings, "LOGIN", None))
TOKENS = bool(getattr(settings, "TOKENS", None))


class RootView(APIRootView):
    """Accounts and transfers; a token opens them."""

    # Who looks around with a browser sees who is logged in.
    authentication_classes: Sequence[type[BaseAuthentication]] = (
        (SessionAuthentication,) if LOGIN else ()
    )
    permission_classes = ()


class Router(DefaultRouter):
    """One address for each resource, and a root for who looks around."""

    APIRootView = RootView
    include_format_suffixes = False


class SignInRedirectView(TemplateView):
    """Where the provider sends Swagger UI's window with the code.

    That window has to reach the one that opened it, which the policy of Django's
    security middleware would cut off.
    """

    template_name = "ledger/oauth2_redirect.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Run the script of Swagger UI, which hands the code over."""
        response = super().get(request, *args, **kwargs)
        response["Cross-Origin-Opener-Policy"] = "unsafe-none"
        response["Referrer-Policy"] = "no-referrer"
        return response


router = Router()
router.register("accounts", AccountViewSet)
router.register("transfers", TransferViewSet)

urlpatterns = [
    path("api/schema/", SpectacularAPIView.as_view(**OPEN), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(**OPEN), name="docs"),
    path("api/docs/oauth2-redirect.html", SignInRedirectView.as_view()),
    path("api/", include(router.urls)),
    path("problems/", include("drf_apikit.problems.urls")),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
]

if TOKENS:
    urlpatterns.append(path("", include("ledger.token_urls")))

if LOGIN:
    urlpatterns += [
        path("oidc/", include("drf_apikit.login.urls")),
        path("api-auth/", include("drf_apikit.login.browsable_urls")),
        path("", include("ledger.web.urls")),
    ]

if getattr(settings, "SERVE_STATIC", False):
    urlpatterns.append(
        re_path(r"^static/(?P<path>.*)$", serve, {"insecure": True}, name="static")
    )
