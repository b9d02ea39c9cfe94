"""Addresses of the API, its documentation, the admin site and the pulse."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.authentication import BaseAuthentication
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


class RootView(APIRootView):
    """Accounts and transfers; a token opens them."""

    authentication_classes: Sequence[type[BaseAuthentication]] = ()
    permission_classes = ()


class Router(DefaultRouter):
    """One address for each resource, and a root for who looks around."""

    APIRootView = RootView
    include_format_suffixes = False


router = Router()
router.register("accounts", AccountViewSet)
router.register("transfers", TransferViewSet)

urlpatterns = [
    path("api/schema/", SpectacularAPIView.as_view(**OPEN), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(**OPEN), name="docs"),
    path("api/", include(router.urls)),
    path("problems/", include("drf_apikit.problems.urls")),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
]

if getattr(settings, "SERVE_STATIC", False):
    urlpatterns.append(
        re_path(r"^static/(?P<path>.*)$", serve, {"insecure": True}, name="static")
    )
