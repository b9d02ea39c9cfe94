"""The routes of tokens as the reference has them."""

from django.urls import include, path

from tests.tokens.pitfall_site import urlpatterns as routes

__all__ = ["urlpatterns"]

urlpatterns = [*routes, path("", include("drf_apikit.tokens.wellknown_urls"))]
