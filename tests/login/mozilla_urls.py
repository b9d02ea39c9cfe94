"""The same project with mozilla's views."""

from django.urls import include, path

from tests.login.attack_urls import handler400, handler403, handler404, handler500, who

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("oidc/", include("mozilla_django_oidc.urls")),
    path("who/", who),
]
